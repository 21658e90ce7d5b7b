"""Why a message would be sent now, or not: the rules of a send, asked one by one, and nothing recorded."""

from dataclasses import dataclass

from application.guard import place_to
from application.verifications import SendCode
from application.writer import Decision, Draft
from domain import rules
from domain.events import Event
from domain.rules import Step


@dataclass(frozen=True, slots=True, repr=False)
class ExplainSend:
    """The path that `send` would take. It is the command itself that says what its rules look at."""

    send: SendCode

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
        steps = rules.path(rules.EARLY, self.send.destination)
        is_over = any(step.code for step in steps)
        place = place_to(self.send.keyring, self.send.log, self.send.phone)
        return Decision(steps + rules.path(rules.LATE, self.send.asked(draft, place), is_over=is_over))

    def replay(self, event: Event) -> list[Step]:
        raise AssertionError("never carries an Idempotency-Key")
