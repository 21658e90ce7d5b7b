"""A web server of another origin than ours, whose pages a test writes."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import NamedTuple


class Written(NamedTuple):
    """A page, and the policy it is served with."""

    text: str
    policy: str


class Shop:
    """Pages by path."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://localhost:{port}"
        self._pages: dict[str, Written] = {}
        self._numbers = count(1)

    def page(self, body: str, *, policy: str = "", head: str = "", lang: str = "en") -> str:
        """The address of a new page."""
        path = f"/{next(self._numbers)}"
        text = (
            f"<!doctype html><html lang={lang}><meta charset=utf-8><title>Shop</title>"
            f"<meta name=viewport content='width=device-width, initial-scale=1'><link rel=icon href='data:,'>{head}"
            f"<main>{body}</main></html>"
        )
        self._pages[path] = Written(text, policy)
        return self.origin + path

    def file(self, text: str) -> str:
        """The address of a new script."""
        path = f"/{next(self._numbers)}.js"
        self._pages[path] = Written(text, "")
        return self.origin + path

    def found(self, path: str) -> Written | None:
        return self._pages.get(path)


@contextlib.contextmanager
def opened_shop() -> Iterator[Shop]:
    """A shop on a port of its own."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            written = shop.found(self.path)
            self.send_response(404 if written is None else 200)
            content = b"" if written is None else written.text.encode()
            kind = "text/javascript" if self.path.endswith(".js") else "text/html"
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            if written is not None and written.policy:
                self.send_header("content-security-policy", written.policy)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        shop = Shop(server.server_port)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield shop
        server.shutdown()
        thread.join()
