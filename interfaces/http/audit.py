"""The transparency log over HTTP: checkpoints, tiles at the paths of C2SP tlog-tiles, receipts and consistency proofs.

Checkpoint and hash tiles of the log over all logs are public. An account's own tree, and every entry, need its secret key;
the entries of the log over all logs name other accounts and are never served.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import msgspec

from domain.refusals import InvalidRequest, Overloaded
from interfaces.http.calls import Call, Context, Query
from interfaces.http.desk import Identity, identify, in_thread
from interfaces.http.problems import HttpRefusal
from projections.transparency import tiles, tree
from projections.transparency.note import base64
from projections.transparency.receipts import NotSealed, Receipt, checkpoint_in, receipt
from projections.transparency.shelf import GLOBAL, Shelf
from projections.transparency.tiles import MalformedPath, TilePath

_TEXT: Final = "text/plain"
_BYTES: Final = "application/octet-stream"
_NOTHING: Final = "Nothing is sealed yet; that takes a few seconds."
_PUBLIC: Final = ("not_found", "internal_error", "service_unavailable", "overloaded")
_OWN: Final = (*_PUBLIC, "missing_api_key", "invalid_api_key", "revoked_api_key", "key_scope_forbidden")
PUBLIC_READS_MAX: Final = 16
"""Reads that nobody has to show a key for, at once: they share the reading threads with those of customers."""


class Consistency(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """That the tree of `to` leaves begins with that of `from`: `hashes` (base64) is the proof of RFC 6962 section 2.1.2."""

    origin: str
    from_: int
    to: int
    from_root: str
    to_root: str
    hashes: list[str]


async def checkpoint(context: Context) -> bytes:
    """The signed checkpoint, a C2SP signed note: of the log over all logs, or with `account` of one's own."""
    log = await _log_asked_for(context)
    return await _read(context, lambda shelf: _note(shelf, log))  # type: ignore[no-any-return]


async def own_checkpoint(context: Context) -> bytes:
    """The signed checkpoint of one's own log."""
    log = _named(context)
    return await _read(context, lambda shelf: _note(shelf, log))  # type: ignore[no-any-return]


async def vkeys(context: Context) -> bytes:
    """The keys that sign or signed checkpoints, one C2SP vkey a line, newest first. Keep a copy of your own."""
    return await _read(context, _vkeys)  # type: ignore[no-any-return]


async def tile(context: Context) -> bytes:
    """Hashes of the log over all logs: `<level>/<index>` with `.p/<width>` where it is not full."""
    wanted = _path(context)
    if wanted.level is None:
        raise HttpRefusal("not_found", "Entries of the log over all logs name other accounts and are not served.")
    return await _read(context, lambda shelf: _hashes(shelf, GLOBAL, wanted))  # type: ignore[no-any-return]


async def own_tile(context: Context) -> bytes:
    """Hashes, or with `entries` in the place of the level the events, of one's own log."""
    log, wanted = _named(context), _path(context)
    read = _entries if wanted.level is None else _hashes
    return await _read(context, lambda shelf: read(shelf, log, wanted))  # type: ignore[no-any-return]


async def proof(context: Context) -> Receipt:
    """The receipt of one event: that it is in the account's log, and that log in the log over all logs."""
    try:
        event_id = UUID(context.request.path_params["event_id"]).bytes
    except ValueError:
        raise HttpRefusal("not_found", "There is no event of this id in the account's log.") from None
    found = await _read(context, lambda shelf: receipt(shelf, context.identity.log, event_id))
    if found is None:
        raise HttpRefusal("not_found", "There is no event of this id in the account's log.")
    return found  # type: ignore[no-any-return]


async def consistency(context: Context) -> Consistency:
    """That what was sealed at one size is how what is sealed at another begins."""
    log = await _log_asked_for(context)
    begin = context.number("from", default=0, least=0, most=2**53)
    end = context.number("to", default=2**53, least=0, most=2**53)
    is_open = "to" not in context.request.query_params
    return await _read(context, lambda shelf: _consistency(shelf, log, begin, None if is_open else end))  # type: ignore[no-any-return]


def _consistency(shelf: Shelf, log: str, begin: int, end: int | None) -> Consistency:
    sealed = checkpoint_in(_note(shelf, log))
    end = sealed.size if end is None else end
    if not begin <= end <= sealed.size:
        raise InvalidRequest(f"from and to must be sizes in their order, up to {sealed.size}, which is sealed.")
    read = shelf.reader(log)
    return Consistency(
        origin=sealed.origin,
        from_=begin,
        to=end,
        from_root=base64(tree.root(read, begin)),
        to_root=base64(tree.root(read, end)),
        hashes=[base64(hash_) for hash_ in tree.consistency(read, begin, end)],
    )


def _vkeys(shelf: Shelf) -> bytes:
    """Never an empty list: nobody should keep one as the keys that they trust."""
    found = shelf.vkeys()
    if not found:
        raise NotSealed(_NOTHING)
    return "".join(f"{vkey}\n" for vkey in found).encode()


def _note(shelf: Shelf, log: str) -> bytes:
    found = shelf.trees([log]).get(log)
    if found is None or not found.note:
        raise NotSealed(_NOTHING)
    return found.note


def _hashes(shelf: Shelf, log: str, wanted: TilePath) -> bytes:
    """The tile, unless it is wider than what is signed: hashes that nothing vouches for are nobody's business."""
    assert wanted.level is not None, "a bundle of entries is not a tile of hashes"
    size = checkpoint_in(_note(shelf, log)).size
    if tiles.width_at(wanted.level, wanted.index, size) < wanted.width:
        raise HttpRefusal("not_found", "There is no such tile.")
    return shelf.reader(log)(wanted.level, wanted.index)[: 32 * wanted.width]


def _entries(shelf: Shelf, log: str, wanted: TilePath) -> bytes:
    size = checkpoint_in(_note(shelf, log)).size
    if tiles.width_at(0, wanted.index, size) < wanted.width:
        raise HttpRefusal("not_found", "There is no such tile.")
    found = shelf.events(log, after=wanted.index * tiles.TILE_WIDTH, limit=wanted.width)
    return tiles.encode_bundle(found)


def _path(context: Context) -> TilePath:
    try:
        return tiles.parse_path(f"tile/{context.request.path_params['path'].lstrip('/')}")
    except MalformedPath:
        raise HttpRefusal("not_found", "There is no such tile.") from None


async def _log_asked_for(context: Context) -> str:
    account = context.request.query_params.get("account")
    if account is None:
        return GLOBAL
    identity = await identify(context.desk, context.request.scope, public_allowed=False)
    return _own(identity, account, names=(identity.log, identity.account.id))


def _named(context: Context) -> str:
    """The log that a path names: a tree is found under its own name and no other."""
    return _own(context.identity, context.request.path_params["log"], names=(context.identity.log,))


def _own(identity: Identity, name: str, *, names: tuple[str, ...]) -> str:
    if name not in names:
        raise HttpRefusal("not_found", "There is no such log for this key.")
    return identity.log


_public_reads = 0


async def _read(context: Context, ask: Callable[[Shelf], Any]) -> Any:
    global _public_reads  # noqa: PLW0603 - one count per process
    is_public = context.caller is None
    if is_public and _public_reads >= PUBLIC_READS_MAX:
        raise Overloaded(retry_after_seconds=1)
    _public_reads += is_public
    try:
        return await in_thread(ask, Shelf(context.desk.recorder.execute))
    except NotSealed as reason:
        raise HttpRefusal("not_found", str(reason)) from None
    finally:
        _public_reads -= is_public


_ACCOUNT: Final = Query("account", {"type": "string"}, "The account of the secret key, for the log of that key.")
_SIZE: Final = {"type": "integer", "minimum": 0, "maximum": 2**53}

CALLS: Final = (
    Call(
        "GET",
        "/v1/audit/checkpoint",
        "The signed checkpoint of the transparency log",
        "none",
        _OWN,
        str,
        checkpoint,
        query=(_ACCOUNT,),
        media_type=_TEXT,
    ),
    Call("GET", "/v1/audit/vkey", "The keys that sign checkpoints", "none", _PUBLIC, str, vkeys, media_type=_TEXT),
    Call(
        "GET",
        "/v1/audit/tile/{path:path}",
        "Hashes of the log over all logs",
        "none",
        _PUBLIC,
        bytes,
        tile,
        media_type=_BYTES,
    ),
    Call(
        "GET",
        "/v1/audit/accounts/{log:str}/checkpoint",
        "The signed checkpoint of one's own log",
        "sk",
        _OWN,
        str,
        own_checkpoint,
        media_type=_TEXT,
    ),
    Call(
        "GET",
        "/v1/audit/accounts/{log:str}/tile/{path:path}",
        "Hashes or entries of one's own log",
        "sk",
        _OWN,
        bytes,
        own_tile,
        media_type=_BYTES,
    ),
    Call("GET", "/v1/audit/proofs/{event_id:str}", "The receipt of one event", "sk", _OWN, Receipt, proof),
    Call(
        "GET",
        "/v1/audit/consistency",
        "That one checkpoint continues another",
        "none",
        (*_OWN, "invalid_request"),
        Consistency,
        consistency,
        query=(
            Query("from", _SIZE, "The smaller size, 0 unless told."),
            Query("to", _SIZE, "The larger size, what is sealed unless told."),
            _ACCOUNT,
        ),
    ),
)
