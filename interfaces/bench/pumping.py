"""Three pumping attackers beside honest users, over HTTP, against a real server with the test clock.

Each attack has an account of its own. Honest users ask once each, from prefixes in which people have verified before, and
most of them type their code half a minute later; an attacker asks as often as they like and verifies nothing. All come
through a secret key, which no challenge stops. The server is told to guard test keys, so that hours pass in seconds.
"""

import contextlib
import heapq
import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from threading import local
from typing import Any, Final, Literal

import msgspec

from application.accounts import OpenedAccount
from domain import phone as phones
from domain.refusals import InvalidPhoneNumber
from interfaces import secrets
from interfaces.bench.scratch import Served
from interfaces.bootstrap import books

CLIENTS: Final = 16
STEP_SECONDS: Final = 10
LOST_MAX: Final = 200
REFUSED_SHARE_MAX: Final = 0.001
CONVERSION: Final = 0.85
TYPING_SECONDS: Final = 30.0
TYPING_SECONDS_MAX: Final = 240.0
"""Before their code expires."""
HONEST_PREFIXES: Final = 120
_SECONDS_MAX: Final = 30.0
Attack = Literal["sequential", "spread", "addresses"]
ATTACKS: Final[tuple[Attack, ...]] = ("sequential", "spread", "addresses")
Target = Callable[[int], tuple[str, str]]
"""The number and the address of an attacker's n-th message."""


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes on, by the second of the test clock."""

    warm_minutes: int = 30
    """How long there are honest users only: an attack finds a service that is running."""
    minutes: int = 60
    honest_per_second: float = 1.0
    attack_per_second: float = 2.0
    seed: int = 1


class Toll(msgspec.Struct, frozen=True, kw_only=True):
    """What one attack came to. `lost` are the attacker's messages that went out: on a live log each is paid for."""

    attack: Attack
    attempts: int
    lost: int
    honest: int
    honest_verified: int
    honest_refused: int
    honest_refused_share: float
    other_answers: int

    @property
    def holds(self) -> bool:
        """Whether it stayed within what is promised."""
        return self.lost <= LOST_MAX and self.honest_refused_share <= REFUSED_SHARE_MAX and not self.other_answers


def pump(
    server: Served,
    home: Path,
    town: Town,
    *,
    guard: int,
    say: Callable[[str], None],
    attacks: tuple[Attack, ...] = ATTACKS,
) -> list[Toll]:
    """Every attack in turn. `guard` as in the policy: 0 is the negative control."""
    tolls = []
    for attack in attacks:
        say(f"attack: {attack}, guard {guard}")
        with books(server.conninfo, root=secrets.kept_at(home).read_bytes().strip()) as opened:
            account = opened.administration.open_account(name=f"pumped {attack}", credits=0, by="bench")
            changes = {"guard": guard, "guard_test_keys": 1}
            opened.administration.change_policy(account.account_id, changes=changes, by="bench")
        tolls.append(_Siege(server.port, account, town, attack).run())
    return tolls


class _Siege:
    """One account under one attack."""

    def __init__(self, port: int, account: OpenedAccount, town: Town, attack: Attack) -> None:
        self._port = port
        self._key = account.keys["sk_test"]
        self._town = town
        self._attack = attack
        self._chance = random.Random(f"{town.seed} {attack}")  # noqa: S311 - the same every time is what is wanted
        self._here = local()
        self._connections: list[HTTPConnection] = []
        self._target = _target(attack, self._chance)
        self._numbers = _honest(self._chance)
        self._due: list[tuple[float, str]] = []
        self._codes: dict[str, str] = {}
        self._cursor: int | str = ""
        self._counts = dict.fromkeys(
            ("attempts", "lost", "honest", "honest_verified", "honest_refused", "other_answers"), 0
        )

    def run(self) -> Toll:
        town, total = self._town, (self._town.warm_minutes + self._town.minutes) * 60
        honest = attacks = 0
        with ThreadPoolExecutor(CLIENTS) as pool:
            for now in range(0, total, STEP_SECONDS):
                self._ask("/v1/test/clock/advance", {"seconds": STEP_SECONDS})
                asked = [
                    next(self._numbers) for _ in range(int((now + STEP_SECONDS) * town.honest_per_second) - honest)
                ]
                honest += len(asked)
                wanted = int(max(0, now + STEP_SECONDS - town.warm_minutes * 60) * town.attack_per_second)
                aimed = [self._target(index) for index in range(attacks, wanted)]
                attacks = wanted
                sends = [("honest", number, "") for number in asked] + [("attempts", *one) for one in aimed]
                self._chance.shuffle(sends)
                list(pool.map(self._send, sends))
                for number in asked:
                    if self._chance.random() < CONVERSION:
                        typing = min(self._chance.expovariate(1 / TYPING_SECONDS), TYPING_SECONDS_MAX)
                        heapq.heappush(self._due, (now + typing, number))
                self._read_inbox()
                list(pool.map(self._check, self._typed(now)))
        for connection in self._connections:
            connection.close()
        return self._toll()

    def _send(self, message: tuple[str, str, str]) -> None:
        who, number, address = message
        body = {"phone_number": number} | ({"client_ip": address} if address else {})
        status, answer = self._ask("/v1/verify/send", body)
        self._counts[who] += 1
        if status == 200:
            self._counts["lost"] += who == "attempts"
        elif answer.get("code") == "destination_blocked":
            self._counts["honest_refused"] += who == "honest"
        else:
            self._counts["other_answers"] += 1

    def _typed(self, now: float) -> Iterator[str]:
        """Honest users who have read their message by now."""
        while self._due and self._due[0][0] <= now:
            _, number = heapq.heappop(self._due)
            if number in self._codes:
                yield number

    def _check(self, number: str) -> None:
        status, _ = self._ask("/v1/verify/check", {"phone_number": number, "code": self._codes.pop(number)})
        self._counts["honest_verified" if status == 200 else "other_answers"] += 1

    def _read_inbox(self) -> None:
        while True:
            page = self._get(f"/inbox/messages?after={self._cursor}&limit=1000")
            self._cursor = page["cursor"]
            self._codes |= {message["to"]: message["code"] for message in page["messages"]}
            if len(page["messages"]) < 1_000:
                return

    def _toll(self) -> Toll:
        counts = self._counts
        share = counts["honest_refused"] / max(1, counts["honest"])
        return Toll(attack=self._attack, honest_refused_share=round(share, 5), **counts)

    def _ask(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        return self._exchange("POST", path, json.dumps(body), headers)

    def _get(self, path: str) -> dict[str, Any]:
        return self._exchange("GET", path, None, {})[1]

    def _exchange(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """On this thread's connection."""
        connection: HTTPConnection | None = getattr(self._here, "connection", None)
        if connection is None:
            connection = self._here.connection = HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS_MAX)
            self._connections.append(connection)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def _honest(chance: random.Random) -> Iterator[str]:
    """Numbers that are asked for once each, in prefixes that many people share."""
    prefixes = [f"+1{area}{local}" for area in (212, 305, 312, 404, 415, 503, 617, 702) for local in range(555, 570)]
    assert len(prefixes) == HONEST_PREFIXES
    used = set[str]()
    while True:
        number = f"{chance.choice(prefixes)}{chance.randrange(10_000):04}"
        if number not in used:
            used.add(number)
            yield number


def _target(attack: Attack, chance: random.Random) -> Target:
    if attack == "sequential":  # one number after the other, from one address
        return lambda index: (f"+90532{1_228_000 + index}", "203.0.113.9")
    if attack == "addresses":  # numbers of one range, each from an address of its own
        return lambda index: (f"+9053312{chance.randrange(100_000):05}", f"198.51.{index % 256}.{index // 256 % 256}")
    fresh = _spread(chance)
    return lambda _: (next(fresh), "203.0.113.9")


def _spread(chance: random.Random) -> Iterator[str]:
    """Valid numbers of the honest users' own country, hardly two of which share a prefix."""
    areas = (205, 206, 213, 214, 303, 313, 314, 407, 412, 414, 502, 512, 602, 614, 713, 801, 816, 901, 913, 972)
    for _ in count():
        number = f"+1{chance.choice(areas)}{chance.randrange(2_000_000, 10_000_000)}"
        with contextlib.suppress(InvalidPhoneNumber):
            yield phones.parse(number).e164


def text(tolls: list[Toll]) -> str:
    """For people."""
    rows = [f"{'attack':12}{'attempts':>10}{'lost':>8}{'honest':>9}{'verified':>10}{'refused':>9}{'share':>9}"]
    rows += [
        f"{toll.attack:12}{toll.attempts:>10}{toll.lost:>8}{toll.honest:>9}{toll.honest_verified:>10}"
        f"{toll.honest_refused:>9}{toll.honest_refused_share:>9.3%}"
        for toll in tolls
    ]
    return "\n".join(rows)
