"""Sessions, links and operators in the real tables: how each ends, and that no token is kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from domain.refusals import InvalidRequest, StateConflict
from interfaces.dashboard.operators import Operators
from interfaces.dashboard.sessions import IDLE, LIFETIME, SESSIONS_MAX, TICKET_LIFETIME, TICKETS_MAX, Sessions, csrf
from interfaces.postgres.connection import Lines

BEFORE = "UPDATE doneotp.operator_sessions SET {} = now() - interval '{} seconds'"


@pytest.fixture
def lines(conninfo: str) -> Iterator[Lines]:
    opened = Lines(conninfo, size_max=4)
    yield opened
    opened.close()


@pytest.fixture
def operators(lines: Lines) -> Operators:
    made = Operators(lines)
    made.add("ada", role="operator")
    return made


@pytest.fixture
def sessions(lines: Lines, operators: Operators) -> Sessions:
    return Sessions(lines)


def run(conninfo: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows = connection.execute(statement.encode())
        return rows.fetchall() if rows.description else []


def test_a_session_is_its_operators_until_it_ends(sessions: Sessions) -> None:
    token = sessions.begin("ada")
    assert (sessions.find(token), sessions.find(token[:-1]), sessions.find("")) == ("ada", "", "")
    sessions.end(token)
    assert sessions.find(token) == ""


def test_it_ends_when_it_is_idle_and_at_the_latest_after_its_lifetime(conninfo: str, sessions: Sessions) -> None:
    idle = int(IDLE.total_seconds())
    found = []
    for column, seconds in (("seen_at", idle - 60), ("seen_at", idle), ("begun_at", int(LIFETIME.total_seconds()))):
        token = sessions.begin("ada")
        run(conninfo, BEFORE.format(column, seconds))
        found.append(sessions.find(token))
    assert found == ["ada", "", ""]


def test_being_used_keeps_it_from_being_idle(conninfo: str, sessions: Sessions) -> None:
    token = sessions.begin("ada")
    for _ in range(3):
        run(conninfo, BEFORE.format("seen_at", int(IDLE.total_seconds()) - 60))
        assert sessions.find(token) == "ada"


def test_the_tables_hold_no_token(conninfo: str, sessions: Sessions) -> None:
    token, ticket = sessions.begin("ada"), sessions.ticket("ada")
    rows = run(conninfo, "SELECT s::text, t::text FROM doneotp.operator_sessions AS s, doneotp.login_tickets AS t")
    kept = str(rows)
    spelled = [text for one in (token, ticket) for text in (one, one.encode().hex(), csrf(token))]
    assert (len(rows), [text for text in spelled if text in kept]) == (1, [])


def test_there_is_a_limit_on_sessions_and_the_newest_stay(sessions: Sessions) -> None:
    tokens = [sessions.begin("ada") for _ in range(SESSIONS_MAX + 3)]
    assert [bool(sessions.find(token)) for token in tokens] == [False] * 3 + [True] * SESSIONS_MAX


def test_a_link_counts_once_among_many_at_once(sessions: Sessions) -> None:
    ticket = sessions.ticket("ada")
    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(sessions.redeem, [ticket] * 32))
    assert sorted(names) == [""] * 31 + ["ada"]


def test_a_link_is_for_fifteen_minutes(conninfo: str, sessions: Sessions) -> None:
    ticket = sessions.ticket("ada")
    seconds = int(TICKET_LIFETIME.total_seconds())
    run(conninfo, f"UPDATE doneotp.login_tickets SET expires_at = expires_at - interval '{seconds} seconds'")
    assert (seconds, sessions.redeem(ticket)) == (900, "")


def test_there_is_a_limit_on_links_and_the_newest_stay(sessions: Sessions) -> None:
    tickets = [sessions.ticket("ada") for _ in range(TICKETS_MAX + 2)]
    assert [bool(sessions.redeem(ticket)) for ticket in tickets] == [False] * 2 + [True] * TICKETS_MAX


def test_another_password_ends_every_session_and_link_of_that_operator_alone(
    operators: Operators, sessions: Sessions
) -> None:
    operators.add("bob", role="auditor")
    token, ticket, bobs = sessions.begin("ada"), sessions.ticket("ada"), sessions.begin("bob")
    assert operators.set_password("ada", "$argon2id$another")
    assert (sessions.find(token), sessions.redeem(ticket), sessions.find(bobs)) == ("", "", "bob")


def test_removing_an_operator_ends_what_was_theirs(operators: Operators, sessions: Sessions) -> None:
    token, ticket = sessions.begin("ada"), sessions.ticket("ada")
    assert (operators.remove("ada"), operators.remove("ada")) == (True, False)
    assert (operators.find("ada"), sessions.find(token), sessions.redeem(ticket)) == (None, "", "")


def test_a_code_of_the_second_factor_counts_once_and_none_before_it(operators: Operators) -> None:
    operators.set_totp("ada", b"sealed", step=100)
    with ThreadPoolExecutor(4) as pool:
        raced = list(pool.map(lambda _: operators.use_step("ada", 101), range(16)))
    assert sorted(raced) == [False] * 15 + [True]
    assert [operators.use_step("ada", step) for step in (99, 100, 101, 102)] == [False, False, False, True]


def test_a_member_sees_their_accounts_in_their_roles_and_no_other(operators: Operators) -> None:
    operators.add("bob", role="")
    operators.join("bob", "acct_1", role="biller")
    operators.join("bob", "acct_2", role="auditor")
    operators.join("bob", "acct_2", role="operator")
    bob, ada = operators.find("bob"), operators.find("ada")
    assert bob is not None
    assert ada is not None
    assert [bob.role_in(one) for one in ("acct_1", "acct_2", "acct_3")] == ["biller", "operator", ""]
    assert ada.role_in("acct_3") == "operator"
    assert (operators.leave("bob", "acct_1"), operators.leave("bob", "acct_1")) == (True, False)
    assert [(one.name, one.memberships) for one in operators.all()] == [("ada", {}), ("bob", {"acct_2": "operator"})]


@pytest.mark.parametrize("name", ["", "Ada", "ada lovelace", "-ada", "a" * 41, "ada\n", "<b>", "ada\x00"])
def test_a_name_is_short_and_plain(operators: Operators, name: str) -> None:
    with pytest.raises(InvalidRequest):
        operators.add(name, role="operator")


def test_two_operators_do_not_share_a_name_and_roles_are_three(operators: Operators) -> None:
    with pytest.raises(StateConflict):
        operators.add("ada", role="auditor")
    with pytest.raises(InvalidRequest):
        operators.add("eve", role="root")
    with pytest.raises(InvalidRequest):
        operators.join("ada", "acct_1", role="root")
    with pytest.raises(StateConflict):
        operators.join("nobody", "acct_1", role="auditor")


def test_what_an_operator_is_printed_as_has_no_hash(operators: Operators) -> None:
    operators.set_password("ada", "$argon2id$secret")
    assert repr(operators.find("ada")) == "Operator(name='ada')"


def test_the_token_of_a_form_follows_from_the_session_and_from_nothing_else(sessions: Sessions) -> None:
    one, other = sessions.begin("ada"), sessions.begin("ada")
    assert (csrf(one), csrf(one) == csrf(other)) == (csrf(one), False)
    assert one not in csrf(one)
