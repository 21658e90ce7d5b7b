"""What the load generator's process is told, and what it answers: one JSON document each way."""

from typing import Literal

import msgspec

from interfaces.bench.percentiles import Latency

Cursor = int | str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A load for one server: `clients` connections, each asking again as soon as it is answered.

    `flow` is send -> code from the inbox -> check -> validate-token, always with a number never used before; `call`
    repeats one request to `path`. Counting starts after `warmup_seconds` and lasts `seconds`.
    """

    port: int
    kind: Literal["flow", "call"]
    clients: int
    seconds: float
    warmup_seconds: float
    keys: tuple[str, ...]
    path: str = ""
    first_number: int = 0
    inbox_after: Cursor = ""
    server_pid: int
    postgres_pid: int | None = None


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds that were used while counting; None where unknown."""

    client: float
    server: float | None
    postgres: float | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job. `requests` and `flows` are the successful ones in `seconds`; `flows_ever` are all of them.

    `errors` counts, by `<call>: <code>`, everything that was not as the contract says, also while warming up.
    """

    seconds: float
    requests: int
    flows: int
    flows_ever: int
    errors: dict[str, int]
    latencies: dict[str, Latency]
    inbox_reads: int
    cpu: Cpu
    server_resident_bytes: int | None
    next_number: int
    inbox_after: Cursor
