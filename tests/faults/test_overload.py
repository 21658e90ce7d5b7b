"""More than is accepted: whoever is beyond the limit hears so at once, nobody else notices, and nothing stays of it.

Negative control: the same callers against limits that are out of their reach, where nobody is refused.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from application.dispatch import Dispatcher
from application.ports import Record
from application.writer import Writer
from interfaces.bench import phones
from tests.faults.hosting import Hosted, hosted
from tests.support.books import assert_sound, log_of
from tests.support.callers import at_once
from tests.support.postgres import Cluster
from tests.support.server import Answer, wait_for

LIMIT = 8
OUT_OF_REACH = 10_000
BEYOND = 24


def send(server: Hosted, key: str, place: int) -> Answer:
    return server.post("/v1/verify/send", {"phone_number": phones.number(place)}, key=key)


def told(answers: list[Answer]) -> Counter[tuple[int, str | None, bool]]:
    """Answers by status, code, and whether they say when to come again."""
    return Counter((a.status, a.body.get("code"), int(a.headers.get("retry-after", 0)) > 0) for a in answers)


@pytest.fixture
def database_url(cluster: Cluster) -> Iterator[str]:
    with cluster.database() as name:
        yield cluster.url(name)


@pytest.fixture(params=[LIMIT, OUT_OF_REACH])
def limit(request: pytest.FixtureRequest) -> int:
    return request.param  # type: ignore[no-any-return]


class Waiting:
    """Callers whose answers are awaited later."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._threads: list[threading.Thread] = []

    def add(self, server: Hosted, key: str, place: int) -> None:
        self._threads.append(threading.Thread(target=lambda: self.answers.append(send(server, key, place))))
        self._threads[-1].start()

    def all(self) -> list[Answer]:
        for thread in self._threads:
            thread.join()
        return self.answers


def test_a_full_queue_of_the_writer_is_overloaded_and_whoever_is_in_it_is_served(
    database_url, tmp_path, monkeypatch, limit
):
    monkeypatch.setitem(Writer.__init__.__kwdefaults__, "queue_max", limit)
    with hosted(tmp_path / "home", DONEOTP_DATABASE_URL=database_url) as server:
        key = server.open_account(1_000).keys["sk_live"]
        assert send(server, key, 0).status == 200
        gate, held, append = threading.Event(), threading.Event(), server.books.recorder.append

        def hold(records: Sequence[Record]) -> set[str]:
            held.set()
            gate.wait()
            return append(records)

        monkeypatch.setattr(server.books.recorder, "append", hold)
        waiting = Waiting()
        try:
            waiting.add(server, key, 1)
            wait_for(held.is_set)
            for place in range(2, 2 + LIMIT):
                waiting.add(server, key, place)
            wait_for(lambda: server.books.writer.waiting == LIMIT)
            if limit == LIMIT:
                refused = at_once([partial(send, server, key, 100 + place) for place in range(BEYOND)])
                assert told(refused) == {(503, "overloaded", True): BEYOND}
            else:
                for place in range(BEYOND):
                    waiting.add(server, key, 100 + place)
                wait_for(lambda: server.books.writer.waiting == LIMIT + BEYOND)
            assert server.get("/healthz").status == 200
        finally:
            gate.set()
        served = 1 + LIMIT + (0 if limit == LIMIT else BEYOND)
        assert told(waiting.all()) == {(200, None, False): served}
        assert (send(server, key, 200).status, server.get("/readyz").status) == (200, 200)
        assert_sound(log_of(server, key))
        assert server.get("/v1/balance", key=key).body["debited"] == served + 2


def test_a_dispatcher_with_its_hands_full_takes_no_more_and_nobody_pays_for_that(
    database_url, tmp_path, monkeypatch, receiver, limit
):
    monkeypatch.setitem(Dispatcher.__init__.__kwdefaults__, "waiting_max", limit)
    receiver.way = "hang"
    more = {"DONEOTP_DATABASE_URL": database_url, "DONEOTP_SMS": f"webhook:{receiver.url}"}
    with hosted(tmp_path / "home", **more) as server:
        key = server.open_account(1_000).keys["sk_live"]
        answers = at_once([partial(send, server, key, place) for place in range(LIMIT + BEYOND)])
        expected = {(200, None, False): LIMIT, (503, "overloaded", True): BEYOND}
        taken = LIMIT if limit == LIMIT else LIMIT + BEYOND
        assert told(answers) == (expected if limit == LIMIT else {(200, None, False): taken})
        assert (server.get("/readyz").status, server.get("/v1/balance", key=key).body["debited"]) == (200, taken)
        receiver.way = 200
        receiver.released.set()
        wait_for(lambda: Counter(event["type"] for event in log_of(server, key))["CodeSent"] == taken)
        assert send(server, key, 200).status == 200
        assert_sound(log_of(server, key))
