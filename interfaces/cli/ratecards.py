"""`ratecards`: adopt, show."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from domain.account import Account
from domain.rates import FLAT, RateCard
from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import Refused, emit

FILE_BYTES_MAX = 1 << 20


def adopt(arguments: argparse.Namespace) -> int:
    """Charge an account by another card from a moment on."""
    card = _card(arguments.file)
    since = None if arguments.since is None else _moment(arguments.since)
    with open_books() as books:
        adopted = books.administration.adopt_rate_card(
            arguments.account, card=card, effective_from=since, by=operator()
        )
    document: dict[str, Any] = {"account_id": arguments.account, "rate_card": card.id, "adopted": adopted is not None}
    text = f"{card.id} was adopted before; nothing changed"
    if adopted is not None:
        document["effective_from"] = adopted.effective_from.isoformat()
        text = f"{card.id} counts for {arguments.account} from {adopted.effective_from.isoformat()} on"
    emit(arguments, document, text)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show the card in force and those that wait for their day."""
    with open_books() as books:
        account = books.administration.account(arguments.account)
    cards = rows(account, now=datetime.now(UTC))
    lines = [
        f"{row['rate_card']}  {row['status']:8} from {row['effective_from'] or 'the beginning'}  per {row['per']}  "
        + " ".join(f"{country}={price}" for country, price in row["prices"].items())
        for row in cards
    ]
    emit(arguments, {"account_id": arguments.account, "rate_cards": cards}, "\n".join(lines))
    return 0


def rows(account: Account, *, now: datetime) -> list[dict[str, Any]]:
    """The card in force first, then those that wait, by their days."""
    in_force = account.rate_card(now)
    found = [_row(FLAT, "in force", None)] if in_force == FLAT else []
    for adopted in account.cards:
        if adopted.effective_from > now:
            found.append(_row(adopted.card, "waiting", adopted.effective_from))
        elif adopted.card == in_force:
            found = [_row(adopted.card, "in force", adopted.effective_from)]
    return found


def _row(card: RateCard, status: str, since: datetime | None) -> dict[str, Any]:
    return {
        "rate_card": card.id,
        "status": status,
        "effective_from": None if since is None else since.isoformat(),
        "per": card.per,
        "prices": dict(sorted(card.prices.items())),
    }


def _card(file: str) -> RateCard:
    try:
        with Path(file).open("rb") as opened:
            return msgspec.json.decode(opened.read(FILE_BYTES_MAX), type=RateCard, strict=True)
    except OSError as error:
        raise Refused("cannot_read", f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        fix = 'A rate card is {"per": "message", "prices": {"*": 1, "TR": 2}}, or per "segment".'
        raise Refused("invalid_request", f"{file} is no rate card: {error}.", fix) from None


def _moment(text: str) -> datetime:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused("invalid_request", "--from must be an RFC 3339 moment such as 2026-12-01T00:00:00Z.")
    return moment.astimezone(UTC)
