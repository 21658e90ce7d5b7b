"""Why a message would be sent now, or not: the rules of a send, asked one by one, and nothing recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from application.guard import place_of, place_to
from application.verifications import SendCode
from application.writer import Decision, Draft
from domain import rules
from domain.events import CodeRequested, Event
from domain.lists import Both, Listed
from domain.phone import PhoneNumber
from domain.rules import Destination, Step

ELSEWHERE: Final = "counted in the memory of the processes that serve, or in what they share"


@dataclass(frozen=True, slots=True, repr=False)
class ExplainSend:
    """The path that `send` would take. It is the command itself that says what its rules look at."""

    send: SendCode
    recorded: CodeRequested | None = None
    """A request of the ledger's that the question is about, where it is one: its number is known by hash and mask alone."""

    @property
    def log(self) -> str:
        return self.send.log

    @property
    def stream(self) -> str:
        return self.send.stream

    @property
    def idempotency(self) -> str:
        return ""

    def decide(self, draft: Draft) -> Decision[list[Step]]:
        """Steps only: a decision without events is a read."""
        send = self.send
        if self.recorded is None:
            early, place = rules.EARLY, place_to(send.keyring, send.log, send.phone)
        else:
            early, place = rules.EARLY_OF_RECORDED, place_of(send.keyring, self.recorded)
        steps = rules.path(early, send.destination)
        is_over = any(step.code for step in steps)
        return Decision(steps + rules.path(rules.LATE, send.asked(draft, place), is_over=is_over))

    def replay(self, event: Event) -> list[Step]:
        raise AssertionError("never carries an Idempotency-Key")


def shown(requested: CodeRequested, *, stream: str, both: Both) -> Destination:
    """Where a recorded message went, as far as its event says: hash and mask, country, and not the number."""
    phone = PhoneNumber(requested.phone.partition("*")[0], requested.country, requested.phone, "")
    return Destination(Listed(phone, (stream, "")), both)


def from_beside(steps: Sequence[Step]) -> list[Step]:
    """The steps, for who asks beside the processes that serve and does not see what they count."""
    return [
        Step(rule="rates", outcome="untold", looked_at=ELSEWHERE)
        if (step.rule, step.outcome) == ("rates", "passed")
        else step
        for step in steps
    ]
