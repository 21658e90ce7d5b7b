"""Business as it comes: random real commands of many numbers, in several logs of a ledger. A seed decides all of it."""

import contextlib
import random
from collections.abc import Sequence

from application.verifications import Outgoing
from domain.refusals import Refusal
from interfaces.bench import phones
from interfaces.postgres.recorder import PostgresLogRecorder
from tests.application.world import Process
from tests.support.clock import SeededEntropy, SettableClock

NUMBERS = ("+905321232719", "+447911123456", "+4915123456789")
STEP_SECONDS_MAX = 90_000
KINDS = {"send": 6, "check": 6, "fate": 5, "report": 2, "redeem": 3, "guess": 2, "cancel": 3, "credit": 1}
"""What happens, and how often among its like."""


class Business:
    """A process that serves its customers, each with a log of their own."""

    def __init__(self, conninfo: str, *, logs: Sequence[str] = ("acct_a", "acct_b"), seed: int = 1) -> None:
        self.recorder = PostgresLogRecorder(conninfo)
        self.logs = list(logs)
        self._random = random.Random(seed)
        self._process = Process(self.recorder, clock=SettableClock(), entropy=SeededEntropy(seed))
        self._numbers = [*NUMBERS, *(phones.number(place) for place in range(20))]
        self._sent: list[tuple[str, str, Outgoing]] = []
        self._tokens: list[tuple[str, str]] = []
        for log in self.logs:
            self._process.do(self._process.opening(log, mode="live"))
            self._process.do(self._process.credit(1_000_000, log=log))

    def go_on(self, commands: int, *, log: str = "") -> None:
        """So many commands more; what is refused leaves no trace."""
        for _ in range(commands):
            with contextlib.suppress(Refusal):
                self._one(log or self._random.choice(self.logs))

    def positions(self) -> dict[str, int]:
        """The head of each log."""
        return self.recorder.heads(self.logs)

    def close(self) -> None:
        self.recorder.close()

    def _one(self, log: str) -> None:
        process, chance = self._process, self._random
        if chance.random() < 0.3:
            process.clock.advance(seconds=chance.choice((0.4, 1, 31, 120, 301, STEP_SECONDS_MAX)))
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        mine = [(number, outgoing) for of, number, outgoing in self._sent[-30:] if of == log]
        if kind == "send" or not mine:
            number = chance.choice(self._numbers)
            self._sent.append((log, number, process.do(process.send(number, log=log))))
            return
        if kind == "credit":
            process.do(process.credit(chance.randrange(1, 9), f"R{chance.random()}", log=log))
            return
        number, outgoing = chance.choice(mine[-8:])
        if kind == "guess":
            for _ in range(5):
                with contextlib.suppress(Refusal):
                    process.do(process.check("000000", number, log=log))
        elif kind == "check":
            code = outgoing.code if chance.random() < 0.6 else "000000"
            self._tokens.append((log, process.do(process.check(code, number, log=log)).token))
        elif kind == "fate":
            is_taken = chance.random() < 0.8
            process.do((process.took if is_taken else process.refused)(outgoing, number, log=log))
        elif kind == "report":
            process.do(process.delivery(outgoing, number, delivered=chance.random() < 0.7, log=log))
        elif kind == "cancel":
            process.do(process.cancel(outgoing.answer.verification_id, log=log))
        else:
            tokens = [token for of, token in self._tokens if of == log]
            if tokens:
                process.do(process.redeem(chance.choice(tokens[-5:]), log=log))
