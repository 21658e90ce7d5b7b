"""What the tool knows by heart is what the server writes."""

import typing
from datetime import datetime
from hashlib import sha256

import msgspec

from domain.events import TYPES, Event
from projections import schemas
from projections.audit import known
from projections.audit.schemas import PUBLISHED


def kind_of(annotation: object) -> known.Kind:
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    kinds: dict[object, known.Kind] = {
        str: "text",
        int: "whole",
        datetime: "moment",
        tuple[str, ...]: "texts",
        dict[str, int]: "wholes",
        dict[str, str]: "names",
        dict[str, str | int | float | bool | None]: "scalars",
    }
    return kinds[annotation]


def shape_of(type_: type[Event]) -> known.Shape:
    fields = [field for field in msgspec.structs.fields(type_) if field.name != "at"]
    return known.Shape(
        {field.name: kind_of(field.type) for field in fields if field.required},
        {field.name: kind_of(field.type) for field in fields if not field.required},
    )


def as_declared(kinds: dict[str, known.Kind]) -> dict[str, known.Kind]:
    """Which whole numbers may be below zero, no annotation says."""
    return {name: "whole" if kind == "integer" else kind for name, kind in kinds.items()}


def test_the_tool_knows_every_type_of_event_and_every_field():
    assert {name: shape_of(type_) for name, type_ in TYPES.items()} == {
        name: known.Shape(as_declared(shape.required), as_declared(shape.optional))
        for name, shape in known.TYPES.items()
    }


def test_the_schema_of_every_type_is_published():
    """A schema that changed is added to `projections/audit/schemas.py`; old bundles carry the one that is there already."""
    digests = {name: sha256(schemas.document(name)).hexdigest() for name in TYPES}
    assert {name: digest for name, digest in digests.items() if digest not in PUBLISHED.get(name, ())} == {}
