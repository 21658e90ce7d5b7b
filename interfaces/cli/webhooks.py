"""`webhooks`: add, list, show, rotate, enable, disable, remove, deliveries, replay. On a running or a stopped system."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from domain.keys import account_of, log_of
from domain.webhooks import EVERY_VERIFICATION, Endpoint
from interfaces import settings
from interfaces.bootstrap import Books
from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import Refused, emit
from interfaces.webhooks import reads, signing
from interfaces.webhooks.outbound import why_unreachable
from interfaces.webhooks.reach import Reach


def add(arguments: argparse.Namespace) -> int:
    """Add an endpoint, and print what its posts are verified with."""
    types = tuple(arguments.types) or (EVERY_VERIFICATION,)
    with open_books() as books:
        _require_target(arguments.url)
        endpoint = books.webhooks.add(_log(arguments), url=arguments.url, types=types, by=operator())
        _emit_whole(arguments, books, endpoint)
    return 0


def _require_target(url: str) -> None:
    """Raise Refused for a URL to which nothing would ever be posted from here."""
    reason = why_unreachable(url, Reach(allows_local=settings.current().env == "development"))
    if reason:
        raise Refused(
            "invalid_request",
            f"Nothing is posted there: {reason}.",
            "It must be https, on the port 443 or one from 1024 on, and public.",
        )


def list_(arguments: argparse.Namespace) -> int:
    """List the endpoints of an account."""
    with open_books() as books:
        log = _log(arguments)
        fares = reads.fares(books.recorder.execute, log)
        rows = [_row(endpoint, fares.get(endpoint.id)) for endpoint in books.webhooks.endpoints(log)]
    lines = [
        f"{row['endpoint_id']}  {row['status']:8} waiting {row['waiting']}  failures {row['failures']}  {row['url']}"
        f"  {' '.join(row['types'])}"
        for row in rows
    ]
    document = {"account_id": arguments.account, "mode": arguments.mode, "endpoints": rows}
    emit(arguments, document, "\n".join(lines) or "There is no endpoint.")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show an endpoint with its secrets, which are derived anew each time."""
    with open_books() as books:
        _emit_whole(arguments, books, books.webhooks.endpoint(_log(arguments), arguments.endpoint))
    return 0


def rotate(arguments: argparse.Namespace) -> int:
    """Begin to sign with another secret."""
    with open_books() as books:
        endpoint = books.webhooks.rotate(
            _log(arguments),
            endpoint_id=arguments.endpoint,
            overlap=timedelta(hours=arguments.overlap_hours),
            by=operator(),
        )
        _emit_whole(arguments, books, endpoint)
    return 0


def enable(arguments: argparse.Namespace) -> int:
    """Post to an endpoint again."""
    with open_books() as books:
        changed = books.webhooks.enable(_log(arguments), endpoint_id=arguments.endpoint, by=operator())
    _emit_changed(arguments, "enabled" if changed else "was enabled already", changed=changed)
    return 0


def disable(arguments: argparse.Namespace) -> int:
    """Post nothing more to an endpoint."""
    with open_books() as books:
        changed = books.webhooks.disable(
            _log(arguments), endpoint_id=arguments.endpoint, reason=arguments.reason, by=operator()
        )
    _emit_changed(arguments, "disabled" if changed else "was disabled already", changed=changed)
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """End an endpoint."""
    with open_books() as books:
        books.webhooks.remove(_log(arguments), endpoint_id=arguments.endpoint, by=operator())
    _emit_changed(arguments, "removed", changed=True)
    return 0


def deliveries(arguments: argparse.Namespace) -> int:
    """List deliveries with each attempt."""
    with open_books() as books:
        log = _log(arguments)
        books.webhooks.endpoints(log)
        found = reads.deliveries(
            books.recorder.execute,
            log,
            endpoint_id=arguments.endpoint,
            status=arguments.status,
            before=arguments.before,
            limit=arguments.limit,
        )
    lines: list[str] = []
    for one in found:
        due = f"  next {one.next_at:%Y-%m-%d %H:%M:%S} UTC" if one.next_at else ""
        lines.append(f"{one.position:>8}  {one.event_id}  {one.type}  {one.endpoint_id}  {one.status}{due}")
        lines += [
            f"          attempt {attempt.number}  {attempt.at:%Y-%m-%d %H:%M:%S} UTC  {attempt.status or '---'}"
            f"  {attempt.error or 'taken'}  {attempt.duration_ms} ms"
            for attempt in one.attempts
        ]
    emit(arguments, {"deliveries": msgspec.to_builtins(found)}, "\n".join(lines) or "There is no delivery.")
    return 0


def replay(arguments: argparse.Namespace) -> int:
    """Deliver events once more."""
    with open_books() as books:
        log, first, last = _stretch(arguments, books)
        if last - first >= reads.REPLAYED_MAX:
            raise Refused("invalid_request", f"At most {reads.REPLAYED_MAX} positions at once: from {first} to {last}.")
        chosen = [
            endpoint
            for endpoint in books.webhooks.endpoints(log)
            if arguments.endpoint in ("", endpoint.id) and not endpoint.disabled
        ]
        if not chosen:
            raise Refused("not_found", "There is no such endpoint that is enabled.", "Run ./doneotp webhooks list.")
        count = sum(
            reads.replay_wanted(books.recorder.execute, log, endpoint=endpoint, first=first, last=last)
            for endpoint in chosen
        )
    document = {"account_id": account_of(log), "first": first, "last": last, "deliveries": count}
    emit(arguments, document, f"{count} deliveries are waiting again")
    return 0


def _stretch(arguments: argparse.Namespace, books: Books) -> tuple[str, int, int]:
    """Which log, from which position to which."""
    execute = books.recorder.execute
    if arguments.event_id:
        try:
            found = reads.log_of(execute, UUID(arguments.event_id))
        except ValueError:
            found = None
        if found is None:
            raise Refused("not_found", "There is no event of this id.")
        return found[0], found[1], found[1]
    if not arguments.account or not arguments.since:
        raise Refused("invalid_request", "Name an event, or an account and where to begin: --account ACCOUNT --from T.")
    log = _log(arguments)
    last = reads.head(execute, log)
    first = _place(arguments.since, "--from", lambda moment: reads.position_at(execute, log, moment))
    if arguments.until:
        last = min(last, _place(arguments.until, "--to", lambda moment: reads.position_at(execute, log, moment)))
    return log, first, last


def _place(text: str, name: str, at: Callable[[datetime], int]) -> int:
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused("invalid_request", f"{name} must be a position, or a moment such as 2026-12-01T00:00:00Z.")
    return at(moment.astimezone(UTC))


def _log(arguments: argparse.Namespace) -> str:
    return log_of(arguments.account, mode=arguments.mode)


def _row(endpoint: Endpoint, fare: reads.Fare | None) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "status": "disabled" if endpoint.disabled else "enabled",
        "reason": endpoint.disabled,
        "added_at": endpoint.added_at.isoformat(),
        "previous_until": endpoint.previous_until.isoformat() if endpoint.previous_until else None,
        "waiting": fare.waiting if fare else 0,
        "failures": fare.failures if fare else 0,
    }


def _emit_whole(arguments: argparse.Namespace, books: Books, endpoint: Endpoint) -> None:
    log = _log(arguments)
    signers = books.webhooks.signers(log, endpoint, now=datetime.now(UTC))
    spelled = signing.spelled(signers)
    fare = reads.fares(books.recorder.execute, log).get(endpoint.id)
    document = {"account_id": arguments.account, "mode": arguments.mode, **_row(endpoint, fare), "signers": spelled}
    lines = [f"{name:14} {value}" for name, value in document.items() if name != "signers" and value is not None]
    lines += [f"{name:14} {value}" for signer in spelled for name, value in signer.items()]
    emit(arguments, document, "\n".join(lines))


def _emit_changed(arguments: argparse.Namespace, done: str, *, changed: bool) -> None:
    document = {"account_id": arguments.account, "endpoint_id": arguments.endpoint, "changed": changed}
    emit(arguments, document, f"{arguments.endpoint} {done}")
