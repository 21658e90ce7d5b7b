"""The negative control of the races: the same server on a ledger that stores whatever comes, wherever the log's head is."""

from collections import Counter

import pytest

from interfaces.bench import phones
from tests.races.scenes import check, send, sent_code, told, wrong
from tests.support.books import log_of
from tests.support.callers import at_once
from tests.support.server import serving

ROUNDS = 40
APPEND_ANYWHERE = """
CREATE OR REPLACE FUNCTION doneotp.append(
    of_log text[], of_head bigint[], of_count integer[],
    e_log text[], e_position bigint[], e_stream text[], e_version integer[],
    e_id uuid[], e_topic text[], e_body bytea[], e_idempotency text[]
) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO doneotp.heads SELECT DISTINCT l, 0 FROM unnest(of_log) AS l ON CONFLICT DO NOTHING;
    PERFORM 1 FROM doneotp.heads WHERE log = ANY (of_log) ORDER BY log FOR UPDATE;
    INSERT INTO doneotp.events
    SELECT e.log, h.position + row_number() OVER (PARTITION BY e.log ORDER BY e.position), e.stream,
        coalesce((SELECT max(version) FROM doneotp.events AS o WHERE o.log = e.log AND o.stream = e.stream), 0)
            + row_number() OVER (PARTITION BY e.log, e.stream ORDER BY e.version), e.id, e.topic, e.body, e.idempotency
    FROM unnest(e_log, e_position, e_stream, e_version, e_id, e_topic, e_body, e_idempotency)
        AS e (log, position, stream, version, id, topic, body, idempotency) JOIN doneotp.heads AS h USING (log);
    UPDATE doneotp.heads AS h SET position = h.position + f.count
    FROM unnest(of_log, of_count) AS f (log, count) WHERE h.log = f.log;
    RETURN '{}';
END
$$"""


@pytest.fixture(scope="module")
def careless(cluster, tmp_path_factory):
    """Two processes that never learn that the other was first."""
    home = tmp_path_factory.mktemp("careless") / "home"
    with cluster.database() as name:
        cluster.execute(APPEND_ANYWHERE, database=name)
        with serving(home, workers=2, more={"DONEOTP_DATABASE_URL": cluster.url(name)}) as server:
            yield server


def ever(race) -> bool:
    """Whether a race is lost in any of many rounds."""
    return any(race(turn) for turn in range(ROUNDS))


def test_more_than_five_guesses_are_compared(careless):
    def race(turn: int) -> bool:
        key = careless.open_account(10).keys["sk_live"]
        right = sent_code(careless, key)
        at_once([check(careless, key, code) for code in wrong(right, 100)])
        return Counter(event["type"] for event in log_of(careless, key))["AttemptFailed"] > 5

    assert ever(race)


def test_more_is_sent_than_was_paid_for(careless):
    def race(turn: int) -> bool:
        key = careless.open_account(10).keys["sk_live"]
        answers = at_once([send(careless, key, phones.number(turn * 64 + place)) for place in range(64)])
        return told(answers)[200, None] > 10

    assert ever(race)


def test_one_idempotency_key_has_two_effects(careless):
    def race(turn: int) -> bool:
        key = careless.open_account(10).keys["sk_live"]
        number = phones.number(1_000_000 + turn)
        at_once([send(careless, key, number, **{"Idempotency-Key": "once"})] * 64)
        return Counter(event["type"] for event in log_of(careless, key))["CodeRequested"] > 1

    assert ever(race)
