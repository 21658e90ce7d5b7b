"""The widget's files as they are served."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from urllib.request import Request, urlopen

import pytest

from interfaces.http import widget
from tests.support.server import ROOT, Server

FOR_EVER = "public, max-age=31536000, immutable"
PINNED = f"/widget/{widget.VERSION}"


def test_the_newest_and_the_pinned_script_are_the_file_that_one_can_read(server: Server) -> None:
    newest, pinned = server.get("/widget.js"), server.get(f"{PINNED}/widget.js")
    assert newest.text == pinned.text == (ROOT / "interfaces" / "web" / "widget" / "widget.js").read_text()
    assert [answer.headers["cache-control"] for answer in (newest, pinned)] == ["public, max-age=300", FOR_EVER]
    assert {answer.headers["access-control-allow-origin"] for answer in (newest, pinned)} == {"*"}


def test_a_browser_gets_it_packed_within_its_bound(server: Server) -> None:
    request = Request(f"{server.base_url}/widget.js", headers={"Accept-Encoding": "gzip"})
    with urlopen(request, timeout=10) as answer:
        packed = answer.read()
    assert (answer.headers["content-encoding"], len(packed) <= 12_288) == ("gzip", True)
    assert gzip.decompress(packed) == widget.SCRIPT


def test_where_there_is_no_document_it_does_nothing() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to load it")
    program = (
        "const { init, version } = require(process.argv[1]); const it = init({}); it.reset(); it.destroy();"
        "console.log(version, it.state)"
    )
    done = subprocess.run(
        [node, "-e", program, str(widget.FOLDER / "widget.js")], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"{widget.VERSION} phone\n", "")


def test_the_version_is_the_servers() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == widget.VERSION


@pytest.mark.parametrize("path", ["/docs", "/demo"])
def test_pages_show_the_hash_of_the_script(server: Server, path: str) -> None:
    digest = hashlib.sha384(server.get(f"{PINNED}/widget.js").text.encode()).digest()
    assert f"sha384-{base64.b64encode(digest).decode()}" in server.get(path).text


def test_every_language_is_there_for_pages_of_every_origin(server: Server) -> None:
    languages = re.findall("[a-z]{2}", re.findall('LANGUAGES = "([a-z ]+)"', widget.SCRIPT.decode())[0])
    assert {"tr", "de", "fr", "es", "pt", "it", "nl", "pl", "ru", "uk", "ar", "he", "hi", "id", "ja", "ko", "zh"} == {
        *languages
    } - {"en"}
    for language in set(languages) - {"en"}:
        answer = server.get(f"{PINNED}/{language}.json")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert (answer.headers["cache-control"], len(json.loads(answer.text))) == (FOR_EVER, 27)


@pytest.mark.parametrize(
    "path", ["/widget/0.0.0/widget.js", f"{PINNED}/check.py", f"{PINNED}/en.json", f"{PINNED}/..%2Fx"]
)
def test_nothing_else_is_there(server: Server, path: str) -> None:
    assert server.get(path).status == 404
