"""The description of the API, OpenAPI 3.1, made from the table of calls: what is served is what is described."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from interfaces.http.calls import Call
from interfaces.http.problems import KINDS, MEDIA_TYPE

VERSION: Final = "0.1.0"
_INTRODUCTION: Final = """Phone verification with a ledger that can be replayed, proved and billed from.

Bodies are JSON whatever content type is declared. Every POST takes `Idempotency-Key`: the same key and body within 24 hours get
the same answer and change nothing more. Errors are RFC 9457 problem details with a stable `code`."""
_PARAMETER: Final = re.compile(r"\{([a-z_]+):[a-z]+\}")
_HEADERS: Final = {
    "X-Request-Id": {
        "description": "Name of this request in our logs.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Cache-Control": {"description": "Always no-store.", "required": True, "schema": {"type": "string"}},
}
_RETRY: Final = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    }
}
_CHALLENGE: Final = {"WWW-Authenticate": {"description": "Bearer.", "required": True, "schema": {"type": "string"}}}
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "A page about this error."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(KINDS)},
        "request_id": {"type": "string"},
        "attempts_left": {"type": "integer", "minimum": 0},
        "retry_after": {"type": "integer", "minimum": 1, "description": "Seconds."},
        "valid": {"type": "boolean"},
    },
}
_WITH_A_KEY: Final = ("ip_blocklisted", "ip_not_allowlisted", "api_rate_limited", "auth_failures_limited")
"""What every call that needs a key may be refused with, beside what its entry in the table says."""


def describe(calls: Sequence[Call]) -> dict[str, Any]:
    """The whole document."""
    structs = [
        struct
        for call in calls
        for struct in (call.body, call.answer)
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct)
    ]
    _, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        path = _PARAMETER.sub(r"{\1}", call.path)
        paths.setdefault(path, {})[call.method.lower()] = _operation(call, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DoneOTP",
            "version": VERSION,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "secret_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "sk_live_… or sk_test_…, on a server.",
                },
                "public_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "pk_live_… or pk_test_…, in a browser.",
                },
            },
        },
    }


def _operation(call: Call, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{call.method.lower()}{re.sub(r'[^a-z]+', '_', path).rstrip('_')}",
        "summary": call.summary,
        "description": (call.handler.__doc__ or "").strip(),
        "responses": {
            "200": {
                "description": "Done.",
                "headers": _HEADERS,
                "content": {
                    call.media_type: {"schema": _schema_of(call.answer)},
                    **{media_type: {"schema": {"type": "string"}} for media_type in call.also},
                },
            },
            **_refusals(call),
        },
    }
    schemes = {"sk": ["secret_key"], "sk pk": ["secret_key", "public_key"], "none": []}[call.keys]
    operation["security"] = [{scheme: []} for scheme in schemes]
    known = {place.name: {"schema": place.schema, "description": place.meaning} for place in call.places}
    parameters = [
        {"name": name, "in": "path", "required": True, **known.get(name, {"schema": {"type": "string"}})}
        for name in re.findall(r"\{([a-z_]+)\}", path)
    ] + [
        {"name": query.name, "in": "query", "required": False, "schema": query.schema, "description": query.meaning}
        for query in call.query
    ]
    if call.method == "POST":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "1 to 255 visible ASCII characters.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }
        )
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{call.body.__name__}"}}},
        }
    return operation


def _schema_of(answer: Any) -> dict[str, Any]:
    """Text and bytes are strings that JSON Schema says nothing more about."""
    return {"type": "string"} if answer in (str, bytes) else {"$ref": f"#/components/schemas/{answer.__name__}"}


def _refusals(call: Call) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*call.codes, *(_WITH_A_KEY if "missing_api_key" in call.codes else ()))):
        by_status.setdefault(KINDS[code].status, []).append(code)
    answers = {}
    for status, codes in sorted(by_status.items()):
        headers: dict[str, Any] = dict(_HEADERS)
        if status in (429, 503):
            headers |= _RETRY
        if status == 401:
            headers |= _CHALLENGE
        answers[str(status)] = {
            "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
            "headers": headers,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return answers
