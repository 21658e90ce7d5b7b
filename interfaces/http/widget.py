"""The widget's files, for pages of any origin: the newest at /widget.js, and each at an address that never changes."""

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from interfaces.http.problems import HttpRefusal

FOLDER: Final = Path(__file__).parent.parent / "web" / "widget"
SCRIPT: Final = (FOLDER / "widget.js").read_bytes()
_VERSION: Final = re.search(rb'^const VERSION = "([0-9.]+)";$', SCRIPT, re.MULTILINE)
assert _VERSION is not None, "widget.js says which version it is"
VERSION: Final = _VERSION[1].decode()
INTEGRITY: Final = "sha384-" + base64.b64encode(hashlib.sha384(SCRIPT).digest()).decode()
"""For the integrity attribute of a page that takes exactly this file (Subresource Integrity)."""
ADDRESS: Final = f"/widget/{VERSION}/widget.js"
CHALLENGE_ADDRESS: Final = f"/widget/{VERSION}/challenge.js"
_GZIP_LEVEL: Final = 9
_FOR_ALL: Final = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
_FOR_A_WHILE: Final = {"cache-control": "public, max-age=300"}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}
_MEDIA_TYPES: Final = {".js": "text/javascript", ".ts": "text/plain", ".json": "application/json"}


class File:
    """A file of the widget, as it is and packed."""

    def __init__(self, path: Path) -> None:
        self._media_type = _MEDIA_TYPES[path.suffix]
        self._plain = path.read_bytes()
        self._packed = gzip.compress(self._plain, _GZIP_LEVEL, mtime=0)

    def answer(self, request: Request[Any, Any, Any], kept: dict[str, str]) -> Response[bytes]:
        """For a page of any origin, packed where the browser says that it can unpack."""
        headers = {**_FOR_ALL, **kept, "vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self._packed, media_type=self._media_type, headers=headers | {"content-encoding": "gzip"})
        return Response(self._plain, media_type=self._media_type, headers=headers)


def routes() -> Sequence[HTTPRouteHandler]:
    """The handlers."""
    paths = (FOLDER / "widget.js", FOLDER / "widget.d.ts", FOLDER / "challenge.js", *FOLDER.glob("??.json"))
    files = {path.name: File(path) for path in paths}

    @get("/widget.js", include_in_schema=False)
    async def newest(request: Request[Any, Any, Any]) -> Response[bytes]:
        return files["widget.js"].answer(request, _FOR_A_WHILE)

    @get("/widget/{version:str}/{name:str}", include_in_schema=False)
    async def pinned(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = request.path_params["name"]
        if request.path_params["version"] != VERSION or name not in files:
            raise HttpRefusal("not_found", f"This server has version {VERSION} of the widget.")
        return files[name].answer(request, _FOR_EVER)

    return (newest, pinned)
