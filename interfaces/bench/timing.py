"""Whether the time of an answer tells a public key of a number: never asked for, its code expired, or locked.

Who has no verification's id gets one answer for all of them, `verification_not_found`; this is about how long it takes.

All classes are asked in turn, in an order that chance decides anew each round, so that whatever else the machine does falls
on all alike. Two classes are compared by Welch's t (B. L. Welch, Biometrika 34, 1947) over what is left when the slowest
tenth of all rounds is dropped. `absent` and `absent_again` are the same thing: what they differ by is what chance alone does.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http.client import HTTPConnection
from itertools import combinations
from math import sqrt
from statistics import fmean, variance
from typing import Any, Final

import msgspec

from application.accounts import OpenedAccount

CONTROL: Final = ("absent", "absent_again")
WARM_ROUNDS: Final = 200
SUSPECT_T: Final = 4.5
"""What |t| is beyond by chance once in some 150,000 comparisons: the usual line of tests for leaks by time."""
KEPT: Final = 0.9
STATES: Final = {"absent": "verification_not_found", "expired": "code_expired", "locked": "number_locked"}
"""What each is answered with when asked with its own id, as long as it is what it is called."""
_ABSENT: Final = "+12125550103"
_ABSENT_TOO: Final = "+12125550104"
_WRONG: Final = "000000"
_SECONDS_MAX: Final = 30.0
_EXPIRY_SECONDS: Final = 301
_Question = dict[str, str]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two classes compared: Welch's t, and by how many microseconds the first is slower in the mean."""

    first: str
    second: str
    t: float
    slower_micros: float


def welch(first: Sequence[float], second: Sequence[float]) -> float:
    """Welch's t of two samples of at least two; 0 where neither varies and both are the same."""
    apart = fmean(first) - fmean(second)
    spread = sqrt(variance(first) / len(first) + variance(second) / len(second))
    return apart / spread if spread else 0.0 if not apart else float("inf") * apart


def interleaved(classes: Mapping[str, Callable[[], object]], *, rounds: int, seed: int = 1) -> dict[str, list[float]]:
    """Seconds that each class took, round by round; a round asks every class once."""
    chance, names = random.Random(seed), list(classes)  # noqa: S311 - an order, no secret
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        chance.shuffle(names)
        for name in names:
            before = time.perf_counter()
            classes[name]()
            taken[name].append(time.perf_counter() - before)
    return taken


def compared(taken: dict[str, list[float]]) -> list[Pair]:
    """Every two classes, over the rounds that are not among the slowest."""
    rounds = sorted(zip(*taken.values(), strict=True), key=max)
    kept = rounds[: max(2, int(len(rounds) * KEPT))]
    cropped = dict(zip(taken, map(list, zip(*kept, strict=True)), strict=True))
    return [
        Pair(
            first=first,
            second=second,
            t=round(welch(cropped[first], cropped[second]), 2),
            slower_micros=round((fmean(cropped[first]) - fmean(cropped[second])) * 1e6, 1),
        )
        for first, second in combinations(taken, 2)
    ]


class Questions:
    """One account's verifications of each class on a server with the test clock, and a connection to ask about them."""

    def __init__(self, port: int, account: OpenedAccount) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS_MAX)
        self._keys = account.keys
        self._expired = self._sent("+12125550101")
        self._other = self._sent("+12125550105")
        self._locked = self._lock("+12125550102")

    def classes(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """A check for each class, all with an id of another number and of one length."""
        numbers = {"absent": _ABSENT, "absent_again": _ABSENT_TOO} | {
            "expired": self._expired["phone_number"],
            "locked": self._locked["phone_number"],
        }
        other = self._other["verification_id"]
        asked = {name: {"phone_number": number, "verification_id": other} for name, number in numbers.items()}
        return {name: partial(self.check, question) for name, question in asked.items()}

    def states(self) -> dict[str, object]:
        """What each is answered with now with its own id: a lock does not last for ever."""
        absent = {"phone_number": _ABSENT, "verification_id": self._other["verification_id"]}
        named = {"absent": absent, "expired": self._expired, "locked": self._locked}
        return {name: self.check(question).get("code") for name, question in named.items()}

    def check(self, question: _Question) -> dict[str, Any]:
        """One guess, which is never compared: none of them has a guess left."""
        return self._ask("/v1/verify/check", {**question, "code": _WRONG}, key=self._keys["pk_test"])

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _lock(self, number: str) -> _Question:
        """Four wrong codes for each of five: the last has a guess left that its number has not."""
        question: _Question = {}
        for _ in range(5):
            self._advance()
            question = self._sent(number)
            for _ in range(4):
                self.check(question)
        return question

    def _sent(self, number: str) -> _Question:
        said = self._ask("/v1/verify/send", {"phone_number": number}, key=self._keys["sk_test"])
        return {"phone_number": number, "verification_id": said["verification_id"]}

    def _advance(self) -> None:
        self._ask("/v1/test/clock/advance", {"seconds": _EXPIRY_SECONDS}, key=self._keys["sk_test"])

    def _ask(self, path: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._connection.request("POST", path, json.dumps(body), headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer


def holds(pairs: Sequence[Pair]) -> bool:
    """Whether no two classes differ more than chance, or more than a class differs from itself, which the machine may do."""
    control = max((abs(pair.t) for pair in pairs if {pair.first, pair.second} == set(CONTROL)), default=0.0)
    return all(abs(pair.t) <= max(SUSPECT_T, control) for pair in pairs)
