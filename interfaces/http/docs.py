"""The API reference as a page: rendered from what /openapi.json serves. No script, nothing from elsewhere."""

import html
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from interfaces.http import widget
from interfaces.http.problems import KINDS
from interfaces.http.public import asset, page

_EXAMPLE: Final = {"string": "…", "integer": 1, "boolean": True, "object": {}, "array": []}


_SCRIPT: Final = f'<script src="{widget.ADDRESS}" integrity="{widget.INTEGRITY}" crossorigin="anonymous"></script>'


def routes(described: dict[str, Any]) -> Sequence[HTTPRouteHandler]:
    """The page, its style sheet, and the way to it."""
    body = _reference(described)

    @get("/docs", include_in_schema=False)
    async def reference() -> Response[bytes]:
        return page("DoneOTP API reference", body)

    @get("/assets/page.css", include_in_schema=False)
    async def style() -> Response[bytes]:
        return asset("page.css", "text/css")

    @get("/", include_in_schema=False)
    async def home() -> Redirect:
        return Redirect("/docs")

    return (reference, style, home)


def _reference(described: dict[str, Any]) -> str:
    operations = [
        (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    index = "".join(
        f"<li><a href='#{operation['operationId']}'>{_text(operation['summary'])}</a></li>"
        for _, _, operation in operations
    )
    sections = "".join(_section(method, path, operation, described) for method, path, operation in operations)
    errors = "".join(
        f"<tr><td>{kind.status}</td><td><a href='/errors/{code}'><code>{code}</code></a></td><td>{_text(kind.title)}</td></tr>"
        for code, kind in KINDS.items()
    )
    introduction = "".join(f"<p>{_marked(part)}</p>" for part in described["info"]["description"].split("\n\n"))
    return (
        f"<h1>DoneOTP API</h1><p class=soft>Version {_text(described['info']['version'])}. "
        f"<a href='/openapi.json'>OpenAPI 3.1 description</a>, <a href='/.well-known/jwks.json'>token keys</a>.</p>"
        f"{introduction}<nav aria-label='Calls'><ul>{index}<li><a href='#errors'>Errors</a></li>"
        f"<li><a href='#widget'>Widget</a></li></ul></nav>{sections}"
        f"<h2 id=widget>Widget</h2><p>A form for a page of yours: number, code, token. This version, checked when loaded:</p>"
        f"<pre><code>{_text(_SCRIPT)}</code></pre>"
        f"<p class=soft>The newest is at <a href='/widget.js'><code>/widget.js</code></a>; the types are in "
        f"<a href='/widget/{widget.VERSION}/widget.d.ts'><code>widget.d.ts</code></a>.</p>"
        f"<h2 id=errors>Errors</h2><div class=wide><table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead>"
        f"<tbody>{errors}</tbody></table></div>"
    )


def _section(method: str, path: str, operation: dict[str, Any], described: dict[str, Any]) -> str:
    names = [scheme for requirement in operation["security"] for scheme in requirement]
    keys = " or ".join(name.replace("_", " ") for name in names) or "no key"
    parts = [
        f"<h2 id='{operation['operationId']}'><span class=method>{method}</span> <code>{_text(path)}</code></h2>",
        f"<p>{_text(operation['summary'])}. <span class=soft>Needs {keys}.</span></p>",
    ]
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody")
    rows = [
        (parameter["name"], parameter["in"], parameter["required"], parameter.get("description", ""))
        for parameter in parameters
    ]
    if body is not None:
        schema = _resolve(body["content"]["application/json"]["schema"], described)
        required = schema.get("required", [])
        rows += [(name, "body", name in required, _description(field)) for name, field in schema["properties"].items()]
    if rows:
        cells = "".join(
            f"<tr><td><code>{_text(name)}</code></td><td>{where}{'' if needed else ', optional'}</td>"
            f"<td>{_text(meaning)}</td></tr>"
            for name, where, needed, meaning in rows
        )
        head = "<tr><th>Field</th><th>Where</th><th>Meaning</th></tr>"
        parts.append(f"<div class=wide><table><thead>{head}</thead><tbody>{cells}</tbody></table></div>")
    parts.append(f"<h3>200</h3>{_answer(operation['responses']['200']['content'], described)}")
    refusals = "; ".join(
        response["description"].replace("`", "")
        for status, response in operation["responses"].items()
        if status != "200"
    )
    parts.append(f"<h3>Refusals</h3><p class=soft>{_text(refusals)}.</p>")
    return "".join(parts)


def _answer(content: dict[str, Any], described: dict[str, Any]) -> str:
    if "application/json" not in content:
        return f"<p><code>{_text(', '.join(content))}</code></p>"
    example = _example(_resolve(content["application/json"]["schema"], described), described)
    return f"<pre><code>{_text(json.dumps(example, indent=2, ensure_ascii=False))}</code></pre>"


def _resolve(schema: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _description(field: dict[str, Any]) -> str:
    return str(field.get("description") or next((_description(one) for one in field.get("anyOf", []) if one), ""))


def _example(schema: dict[str, Any], described: dict[str, Any]) -> Any:
    schema = _resolve(schema, described)
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], described)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array" and "items" in schema:
        return [_example(schema["items"], described)]
    if "properties" in schema:
        return {name: _example(field, described) for name, field in schema["properties"].items()}
    if schema.get("format") == "date-time":
        return "2026-11-24T12:00:00Z"
    return _EXAMPLE.get(schema.get("type", ""), None)


def _marked(part: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(part))


def _text(value: str) -> str:
    return html.escape(value)
