"""The choice of a provider for a message."""

from datetime import UTC, datetime

from application.ports import Accepted, FailureKind, Message, ProviderFailed
from application.routing import ByMode, Router
from domain.routing import OPEN_SECONDS, RECENT_MIN, REPORTS_MIN, checked_routes
from tests.support.clock import SettableClock


class Named:
    """A provider that nobody asks to send."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, message: Message) -> Accepted:
        raise AssertionError(message)


ONE, TWO, TESTS = Named("one"), Named("two"), Named("scenario")


def message(to: str = "+14155552671", *, log: str = "acct_a") -> Message:
    return Message(log, "s", "ver_1", 1, "msg_1", to, "", "", "", datetime(2026, 1, 1, tzinfo=UTC), "acct_a")


def router(**table: list[str]) -> tuple[Router, SettableClock]:
    clock = SettableClock()
    return Router({"one": ONE, "two": TWO}, checked_routes(table, known=["one", "two"]), clock), clock


def order(router: Router | ByMode, to: str = "+14155552671", **more: str) -> list[str]:
    return [provider.name for provider in router.providers(message(to, **more))]


def fail(router: Router, times: int, kind: FailureKind = "unconnected") -> None:
    for _ in range(times):
        router.noted(ONE, ProviderFailed("away", kind=kind))


def test_the_destination_decides():
    made, _ = router(TR=["two"])
    assert (order(made), order(made, "+905321232719")) == (["one", "two"], ["two"])


def test_a_provider_that_fails_is_left_alone_until_one_message_finds_it_well():
    made, clock = router()
    fail(made, RECENT_MIN)
    assert (order(made), made.states()) == (["two"], {"one": "open", "two": "closed"})
    clock.advance(seconds=OPEN_SECONDS)
    assert [order(made), order(made)] == [["one", "two"], ["two"]], "one message tries"
    made.noted(ONE, None)
    assert (order(made), made.states()["one"]) == (["one", "two"], "closed")


def test_messages_that_no_provider_would_take_say_nothing_of_the_provider():
    made, clock = router()
    fail(made, 100, "rejected")
    assert made.states()["one"] == "closed"
    fail(made, RECENT_MIN)
    clock.advance(seconds=OPEN_SECONDS)
    fail(made, 1, "rejected")
    assert made.states()["one"] == "closed", "who answers is there"


def test_who_delivers_little_comes_last():
    made, _ = router()
    for _ in range(REPORTS_MIN):
        made.reported("one", delivered=False)
        made.reported("somebody", delivered=False)
    assert order(made) == ["two", "one"]


def test_test_messages_go_their_own_way_and_change_nothing():
    live, _ = router()
    both = ByMode(live=live, tests=TESTS)
    assert (order(both), order(both, log="acct_a-test")) == (["one", "two"], ["scenario"])
    both.noted(TESTS, ProviderFailed("provider_down"))
    for _ in range(RECENT_MIN):
        both.noted(ONE, ProviderFailed("away"))
    assert live.states() == {"one": "open", "two": "closed"}
