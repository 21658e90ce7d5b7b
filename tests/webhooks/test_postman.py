"""Deliveries: tried by the schedule, in order within a verification, one endpoint never at another's cost."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from interfaces.webhooks import deliveries
from interfaces.webhooks.deliveries import SCHEDULE_SECONDS
from tests.support.customer_hook import Hook, hooked
from tests.support.given import requested, sent, verified
from tests.support.server import wait_for
from tests.webhooks.office import Office

TIMEOUT_SECONDS = 20.0
ONE, OTHER = ("ver_" + letter * 22 + "0" * 12 for letter in "ab")


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hooked() as receiving:
        yield receiving


def story(desk: Office, verification_id: str) -> None:
    facts = requested(of=verification_id), sent(of=verification_id), verified(of=verification_id, token=verification_id)
    for fact in facts:
        desk.record(fact, stream=verification_id[4:26])


def settled(desk: Office) -> bool:
    found = desk.deliveries()
    return bool(found) and all(one.status != "waiting" for one in found)


def test_a_failed_post_is_tried_again_with_the_same_id_and_body_until_it_is_given_up(desk, hook):
    hook.answer = lambda got: 500
    desk.endpoint(hook.url, "account.credit_added")
    desk.credit("one")
    with desk.postman():
        wait_for(lambda: settled(desk))
    assert desk.told() == [("account.credit_added", "given_up", ["refused"] * 3)]
    (delivery,) = desk.deliveries()
    assert {(got.id, got.body) for got in hook.got} == {(delivery.event_id, hook.got[0].body)}
    assert [(at.number, at.status) for at in delivery.attempts] == [(1, 500), (2, 500), (3, 500)]


def test_the_schedule_is_that_of_standard_webhooks():
    assert SCHEDULE_SECONDS == (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)


@pytest.mark.parametrize(
    ("status", "error"), [(301, "redirected"), (307, "redirected"), (404, "refused"), (502, "refused")]
)
def test_whatever_is_not_2xx_is_a_failure_and_no_redirect_is_followed(desk, hook, status, error):
    with hooked() as elsewhere:
        hook.headers = {"location": elsewhere.url}
        hook.answer = lambda got: status if len(hook.got) == 1 else 204
        desk.endpoint(hook.url, "account.credit_added")
        desk.credit("one")
        with desk.postman():
            wait_for(lambda: settled(desk))
        assert (desk.told(), elsewhere.got) == ([("account.credit_added", "delivered", [error, "taken"])], [])


def test_a_receiver_that_never_answers_is_a_timeout(desk, hook):
    hook.answer = lambda got: "hang"
    desk.endpoint(hook.url, "account.credit_added")
    desk.credit("one")
    with desk.postman(schedule=(0.0,), seconds_max=0.3):
        wait_for(lambda: settled(desk))
    assert desk.told() == [("account.credit_added", "given_up", ["timeout"])]


def test_retry_after_makes_a_wait_longer(desk, hook):
    hook.headers = {"retry-after": "3600"}
    hook.answer = lambda got: 503
    desk.endpoint(hook.url, "account.credit_added")
    desk.credit("one")
    with desk.postman():
        wait_for(lambda: desk.deliveries() and desk.deliveries()[0].attempts)
        (delivery,) = desk.deliveries()
    assert delivery.next_at is not None
    assert (delivery.next_at - delivery.attempts[0].at).total_seconds() >= 3_600


def test_gone_disables_the_endpoint_which_is_a_fact_and_enabling_goes_on_where_it_stopped(desk, hook):
    hook.answer = lambda got: 410
    endpoint_id = desk.endpoint(hook.url, "account.credit_added")
    desk.credit("one")
    with desk.postman(schedule=(0.0, 1.0, 0.05)):
        wait_for(lambda: desk.books.webhooks.endpoint(desk.log, endpoint_id).disabled)
        assert desk.books.webhooks.endpoint(desk.log, endpoint_id).disabled == "410 gone"
        wait_for(lambda: desk.execute(b"SELECT disabled FROM doneotp.webhook_endpoints") == [("410 gone",)])
        posts = len(hook.got)
        desk.credit("while it is disabled")
        time.sleep(1.5)
        assert len(hook.got) == posts
        hook.answer = lambda got: 200
        desk.books.webhooks.enable(desk.log, endpoint_id=endpoint_id, by="test")
        wait_for(lambda: settled(desk))
    assert desk.told() == [("account.credit_added", "delivered", ["gone", "taken"])]
    records = desk.books.recorder.select_log(desk.log, after=0, limit=100)
    assert [r.topic for r in records].count("WebhookEndpointDisabled.v1") == 1


def test_a_later_event_of_a_verification_waits_for_the_earlier_ones_and_others_do_not(desk, hook):
    hook.answer = lambda got: (
        500 if got.document["data"]["verification_id"] == ONE and len(seen(hook, ONE)) < 3 else 200
    )
    desk.endpoint(hook.url, "verification.*")
    story(desk, ONE)
    story(desk, OTHER)
    with desk.postman(schedule=(0.0, 0.4, 0.4)):
        wait_for(lambda: settled(desk))
    first, *rest = seen(hook, ONE)
    assert [first, *rest] == ["verification.code_requested"] * 3 + ["verification.code_sent", "verification.verified"]
    assert seen(hook, OTHER) == ["verification.code_requested", "verification.code_sent", "verification.verified"]
    order = [(got.document["data"]["verification_id"], got.document["type"]) for got in hook.got]
    assert order.index((OTHER, "verification.verified")) < order.index((ONE, "verification.code_sent"))


def seen(hook: Hook, verification_id: str) -> list[str]:
    return [got.document["type"] for got in hook.got if got.document["data"]["verification_id"] == verification_id]


def test_what_was_given_up_lets_the_next_one_go(desk, hook):
    hook.answer = lambda got: 500 if got.document["type"] == "verification.code_requested" else 200
    desk.endpoint(hook.url, "verification.*")
    story(desk, ONE)
    with desk.postman(schedule=(0.0,)):
        wait_for(lambda: settled(desk))
    assert [status for _, status, _ in desk.told()] == ["given_up", "delivered", "delivered"]


def test_an_endpoint_that_hangs_has_few_posts_under_way_and_keeps_no_other_waiting(desk, hook):
    with ExitStack() as stack:
        dead = [stack.enter_context(hooked()) for _ in range(3)]
        for one in dead:
            one.answer = lambda got: "hang"
            desk.endpoint(one.url, "account.credit_added")
        desk.endpoint(hook.url, "account.credit_added")
        for number in range(20):
            desk.credit(f"R{number}")
        begun = time.monotonic()
        with desk.postman(seconds_max=TIMEOUT_SECONDS):
            wait_for(lambda: len(hook.got) == 20)
            took = time.monotonic() - begun
        assert all(1 <= one.at_once_max <= deliveries.ENDPOINT_MAX for one in dead)
        assert took < TIMEOUT_SECONDS, "or they waited for one that timed out"


def test_an_endpoint_gets_what_was_recorded_while_it_was_there(desk, hook):
    desk.credit("before")
    endpoint_id = desk.endpoint(hook.url, "account.credit_added")
    desk.credit("one")
    desk.books.webhooks.disable(desk.log, endpoint_id=endpoint_id, reason="pause", by="test")
    desk.credit("while it was disabled")
    desk.books.webhooks.enable(desk.log, endpoint_id=endpoint_id, by="test")
    desk.credit("two")
    with desk.postman():
        wait_for(lambda: len(hook.got) == 2 and settled(desk))
    assert sorted(got.document["data"]["reference"] for got in hook.got) == ["one", "two"]


def test_what_waits_for_a_removed_endpoint_goes_with_it(desk, hook):
    hook.answer = lambda got: 500
    endpoint_id = desk.endpoint(hook.url, "account.credit_added")
    desk.credit("one")
    with desk.postman(schedule=(0.0, 3_600.0)):
        wait_for(lambda: desk.deliveries() and desk.deliveries()[0].attempts)
        desk.books.webhooks.remove(desk.log, endpoint_id=endpoint_id, by="test")
        wait_for(lambda: desk.deliveries() == [])
        desk.credit("two")
        time.sleep(0.8)
    assert (desk.deliveries(), len(hook.got)) == ([], 1)


def test_several_postmen_post_each_event_once(desk, hook):
    desk.endpoint(hook.url, "account.credit_added")
    with desk.postman(), desk.postman(), desk.postman():
        for number in range(60):
            desk.credit(f"R{number}")
        wait_for(lambda: len(desk.deliveries()) == 60 and settled(desk))
    assert (len(hook.got), len(set(hook.ids))) == (60, 60)
    assert hook.at_once_max <= deliveries.ENDPOINT_MAX


def test_an_endpoint_with_too_much_waiting_is_disabled(desk, hook):
    endpoint_id = desk.endpoint(hook.url, "account.credit_added")
    for number in range(6):
        desk.credit(f"R{number}")
    with desk.postman(waiting_max=4):
        wait_for(lambda: desk.books.webhooks.endpoint(desk.log, endpoint_id).disabled)
    assert desk.books.webhooks.endpoint(desk.log, endpoint_id).disabled == "too many waiting"
    assert len(desk.deliveries()) == 4


def test_what_was_finished_long_ago_is_forgotten_and_the_rest_is_not(desk, hook):
    desk.endpoint(hook.url, "account.credit_added")
    desk.credit("one")
    desk.credit("two")
    with desk.postman():
        wait_for(lambda: len(hook.got) == 2 and settled(desk))
    desk.execute(
        b"UPDATE doneotp.webhook_deliveries SET finished_at = now() - interval '31 days' WHERE position ="
        b" (SELECT min(position) FROM doneotp.webhook_deliveries)"
    )

    async def purge() -> int:
        async with await psycopg.AsyncConnection.connect(desk.conninfo, autocommit=True) as connection:
            return await deliveries.purge(connection)

    assert asyncio.run(purge()) == 1
    assert [len(one.attempts) for one in desk.deliveries()] == [1]
    assert desk.execute(b"SELECT count(*) FROM doneotp.webhook_attempts") == [(1,)]


def test_an_event_that_cannot_be_read_stops_its_own_log_only(desk, hook):
    desk.endpoint(hook.url, "account.credit_added")
    desk.execute(
        b"WITH h AS (UPDATE doneotp.heads SET position = position + 1 WHERE log NOT LIKE '%-test' RETURNING log, position)"
        b" INSERT INTO doneotp.events (log, position, stream, version, event_id, topic, body)"
        b" SELECT log, position, '', 1000, gen_random_uuid(), 'WebhookEndpointEnabled.v1', '\\x7b7d' FROM h"
    )
    other = desk.books.administration.open_account(name="Other", credits=0, by="test").account_id
    desk.books.webhooks.add(other, url=hook.url, types=("account.credit_added",), by="test")
    desk.books.administration.add_credit(other, credits=1, reference="one", by="test")
    with desk.postman():
        wait_for(lambda: len(hook.got) == 1 and desk.poisoned)
        time.sleep(0.5)
    assert hook.got[0].document["data"]["account_id"] == other
    assert [log for log, _ in desk.poisoned] == [desk.log]


def test_order_holds_and_nothing_is_left_over_when_postmen_race_with_who_records(desk, hook):
    """What waits behind an earlier fact is made due by who finishes that one, while others add to it."""
    chance = random.Random(3)
    hook.answer = lambda got: 500 if chance.random() < 0.3 else 200
    desk.endpoint(hook.url, "verification.*")
    names = ["ver_" + f"{number:022}" + "0" * 12 for number in range(20)]
    with desk.postman(schedule=(0.0,) + (0.02,) * 40), desk.postman(schedule=(0.0,) + (0.02,) * 40):
        for step in (requested, sent, verified):
            for name in names:
                desk.record(step(of=name), stream=name[4:26])
        wait_for(lambda: len(desk.deliveries()) == 60 and settled(desk))
    assert {one.status for one in desk.deliveries()} == {"delivered"}
    for name in names:
        of_name = [one for one in desk.deliveries() if one.verification_id == name]
        taken = [one.attempts[-1].at for one in of_name]
        began = [one.attempts[0].at for one in of_name]
        assert [one.type.partition(".")[2] for one in of_name] == ["code_requested", "code_sent", "verified"]
        assert all(before <= first for before, first in zip(taken, began[1:], strict=False))
    assert desk.execute(b"SELECT waiting, failures >= 0 FROM doneotp.webhook_endpoints") == [(0, True)]


def test_a_database_that_cuts_the_line_again_and_again_loses_nothing(desk, hook):
    desk.endpoint(hook.url, "account.credit_added")
    cut = b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doneotp-webhooks'"
    with desk.postman():
        for number in range(40):
            desk.credit(f"R{number}")
            if number % 10 == 9:
                desk.execute(cut)
        wait_for(lambda: len(desk.deliveries()) == 40 and settled(desk))
    assert len(set(hook.ids)) == 40
    assert {type(failure) for failure in desk.failures} <= {psycopg.errors.AdminShutdown, psycopg.OperationalError}
    assert desk.failures
    desk.failures.clear()
