"""Who asks: a User walks the verification flow as a client of the public API does, a Caller repeats one request."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Final

import msgspec

from interfaces.bench.answers import CHECKED, OK, SENT, VALIDATED, problem_code
from interfaces.bench.http1 import Connection, request
from interfaces.bench.inbox import Inbox
from interfaces.bench.meter import Meter
from interfaces.bench.phones import mask, number

FLOW_STEPS: Final = ("send", "code", "check", "validate")
"""`code` is no call: it is the wait between the answer to `send` and the code's appearance in the inbox."""
CALL_STEPS: Final = ("call",)
_AFTER_ERROR_SECONDS: Final = 0.05


class Client(Connection):
    """One connection that asks until the meter stops it, and then rests."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        self._step = ""
        self._rests = False

    def start(self) -> None:
        """Begin something new, or rest."""
        if self._rests:
            return
        if self._meter.stopping:
            self._rest()
        else:
            self._begin()

    def failed(self, code: str) -> None:
        self._meter.errors[f"{self._step}: {code}"] += 1
        self._rest()

    def _begin(self) -> None:
        raise NotImplementedError

    def _go_wrong(self, code: str) -> None:
        self._meter.errors[f"{self._step}: {code}"] += 1
        # Not at once: a server that refuses everything must not be flooded.
        asyncio.get_running_loop().call_later(_AFTER_ERROR_SECONDS, self.start)

    def _rest(self) -> None:
        if not self._rests:
            self._rests = True
            self._meter.rest()


class User(Client):
    """Walks flow after flow, each with the next number, with the keys in turn."""

    def __init__(self, meter: Meter, *, inbox: Inbox, numbers: Iterator[int], keys: "itertools.cycle[str]") -> None:
        super().__init__(meter)
        self._inbox = inbox
        self._numbers = numbers
        self._keys = keys
        self._phone = ""
        self._key = ""

    def coded(self, code: str) -> None:
        """The message has come."""
        body = b'{"phone_number":"%b","code":"%b"}' % (self._phone.encode(), code.encode())
        self._post("check", "/v1/verify/check", body)

    def uncoded(self) -> None:
        """The message has not come."""
        self._go_wrong("missing")

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        if status != OK:
            self._go_wrong(problem_code(status, body))
            return
        try:
            self._go_on(body, seconds)
        except msgspec.MsgspecError:
            self._go_wrong("unexpected_answer")

    def _begin(self) -> None:
        self._key = next(self._keys)
        self._phone = number(next(self._numbers))
        self._post("send", "/v1/verify/send", b'{"phone_number":"%b"}' % self._phone.encode())

    def _go_on(self, body: bytes, seconds: float) -> None:
        match self._step:
            case "send":
                SENT.decode(body)
                self._meter.answered("send", seconds)
                self._step = "code"
                self._inbox.wait(self, phone=self._phone)
            case "check":
                token = CHECKED.decode(body).token
                self._meter.answered("check", seconds)
                self._post("validate", "/v1/verify/validate-token", b'{"token":"%b"}' % token.encode())
            case _:
                if VALIDATED.decode(body).phone_number != mask(self._phone):
                    self._go_wrong("wrong_number")
                    return
                self._meter.answered("validate", seconds)
                self._meter.finished()
                self.start()

    def _post(self, step: str, path: str, body: bytes) -> None:
        self._step = step
        self.ask(request("POST", path, key=self._key, body=body))


class Caller(Client):
    """Repeats one request."""

    def __init__(self, meter: Meter, *, path: str, key: str, body: bytes) -> None:
        super().__init__(meter)
        self._step = "call"
        self._request = request("POST", path, key=key, body=body)

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        if status == OK:
            self._meter.answered("call", seconds)
            self.start()
        else:
            self._go_wrong(problem_code(status, body))

    def _begin(self) -> None:
        self.ask(self._request)
