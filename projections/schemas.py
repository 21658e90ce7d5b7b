"""The JSON Schema of every event type, as a bundle carries it. A schema that was once published stays known to the auditor."""

import json

import msgspec

from domain.events import TYPES


def document(type_: str) -> bytes:
    """The bytes of `schemas/<type>.json`."""
    schema = msgspec.json.schema(TYPES[type_])
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
