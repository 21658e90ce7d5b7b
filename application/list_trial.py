"""A rule of a list over a stretch of a log that is long written: what it would have refused, and who of those had verified.

Events keep a number's hash and mask. So a rule about a number or a country is told exactly; one about a prefix as far as the
mask shows digits, and what it leaves open is counted as untold, not guessed.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from application.explaining import shown
from application.ports import Record
from domain.codec import decode
from domain.events import CodeRequested, Verified
from domain.lists import NOTHING, Both, Effect, Kind, Lists, Untold, changed, require_country, require_number_shown
from domain.refusals import InvalidRequest, Refusal
from domain.rules import Destination

TOPICS = ("CodeRequested.v1", "Verified.v1")
_UNTELLABLE: dict[str, str] = {
    "ip": "Events keep the masked address of the user, and an ip rule is about the address that calls.",
    "type": "Events do not keep what kind of number it was.",
    "origin": "Events do not keep which page asked.",
}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """`messages` are those of the period, `refused` those that the rule alone would have refused; what the lists of now refuse
    anyway is in neither of the other figures. `numbers` are the refused ones', `verified` those of them that verified with a
    message that would have been refused. `untold` and `untold_verified` are what cannot be told.
    """

    messages: int = 0
    refused: int = 0
    credits: int = 0
    numbers: int = 0
    verified: int = 0
    untold: int = 0
    untold_verified: int = 0


def require_tellable(kind: Kind) -> None:
    """Raises InvalidRequest for a rule of which the events say nothing."""
    if kind in _UNTELLABLE:
        raise InvalidRequest(_UNTELLABLE[kind])


def alone(lists: Lists, *, effect: Effect, kind: Kind, entries: dict[str, str]) -> Lists:
    """The rule by itself: a block, or an allow beside those that the lists have, for together they exclude the rest."""
    if effect == "block":
        return changed(NOTHING, effect=effect, kind=kind, entries=entries)
    together = {"country"} if kind == "country" else {"number", "prefix"}
    kept = {name: held for name, held in lists.allowed.items() if name in together}
    return changed(Lists(allowed=kept), effect=effect, kind=kind, entries=entries)


def tried(records: Iterable[Record], *, rule: Lists, both: Both, since: datetime) -> Tried:
    """Replay a log. `both` are the lists of now."""
    messages = refused = credits = untold = 0
    numbers: set[str] = set()
    verified: dict[str, set[str]] = {"refused": set(), "untold": set()}
    verdicts: dict[str, str] = {}
    for record in records:
        event = decode(record.topic, record.state)
        if isinstance(event, Verified) and event.verification_id in verdicts:
            verified[verdicts[event.verification_id]].add(record.stream)
        if not isinstance(event, CodeRequested) or event.at < since:
            continue
        messages += 1
        if _verdict(event, record.stream, both) == "refused":
            continue
        verdict = _verdict(event, record.stream, (rule, NOTHING))
        if verdict == "passed":
            continue
        verdicts[event.verification_id] = verdict
        if verdict == "refused":
            refused += 1
            credits += event.price_credits
            numbers.add(record.stream)
        else:
            untold += 1
    return Tried(
        messages=messages,
        refused=refused,
        credits=credits,
        numbers=len(numbers),
        verified=len(verified["refused"]),
        untold=untold,
        untold_verified=len(verified["untold"]),
    )


def _verdict(requested: CodeRequested, stream: str, both: Both) -> str:
    destination: Destination = shown(requested, stream=stream, both=both)
    try:
        require_country(both, destination.listed)
        require_number_shown(both, destination.listed)
    except Refusal:
        return "refused"
    except Untold:
        return "untold"
    return "passed"
