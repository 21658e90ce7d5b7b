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
_GZIP_LEVEL: Final = 9
PACKED: Final = gzip.compress(SCRIPT, _GZIP_LEVEL, mtime=0)
_FOR_ALL: Final = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
_FOR_A_WHILE: Final = {"cache-control": "public, max-age=300"}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}
_MEDIA_TYPES: Final = {".js": "text/javascript", ".ts": "text/plain", ".json": "application/json"}


def routes() -> Sequence[HTTPRouteHandler]:
    """The handlers."""
    files = {
        path.name: path.read_bytes() for path in (FOLDER / "widget.js", FOLDER / "widget.d.ts", *FOLDER.glob("??.json"))
    }

    @get("/widget.js", include_in_schema=False)
    async def newest(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _script(request, _FOR_A_WHILE)

    @get("/widget/{version:str}/{name:str}", include_in_schema=False)
    async def pinned(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = request.path_params["name"]
        if request.path_params["version"] != VERSION or name not in files:
            raise HttpRefusal("not_found", f"This server has version {VERSION} of the widget.")
        if name == "widget.js":
            return _script(request, _FOR_EVER)
        media_type = _MEDIA_TYPES[Path(name).suffix]
        return Response(files[name], media_type=media_type, headers={**_FOR_ALL, **_FOR_EVER})

    return (newest, pinned)


def _script(request: Request[Any, Any, Any], kept: dict[str, str]) -> Response[bytes]:
    headers = {**_FOR_ALL, **kept, "vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(PACKED, media_type="text/javascript", headers=headers | {"content-encoding": "gzip"})
    return Response(SCRIPT, media_type="text/javascript", headers=headers)
