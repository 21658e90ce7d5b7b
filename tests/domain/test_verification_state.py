"""What a verification stream folds to: what the rules need, bounded, and never refused."""

import msgspec
import pytest

from domain import verification as verifications
from domain.events import VERIFICATION_EVENTS, AccountOpened
from domain.refusals import StateConflict
from domain.verification import (
    FAILURES_KEPT_MAX,
    RECEIPT_SECONDS_MAX,
    SENT_KEPT_MAX,
    Attempt,
    Handoff,
    Token,
    Verification,
)
from tests.support.given import (
    MASK,
    added,
    cancelled,
    failed,
    given,
    moment,
    opened,
    redeemed,
    reported,
    requested,
    send_failed,
    sent,
    unconfirmed,
    verified,
)

FIRST = Attempt(
    id="ver_1",
    seed="seed of ver_1",
    digits=6,
    phone=MASK,
    sends=1,
    resend_at=moment(30),
    expires_at=moment(300),
    attempts_left=5,
)
HANDOFF = Handoff("ver_1", 1, 1, moment(0))
TAKEN = Handoff("ver_1", 1, 1, moment(0), "inbox")


def test_a_request_opens_a_verification_and_a_handoff():
    assert given(requested()).state == Verification(current=FIRST, handoffs=(HANDOFF,), requests=(moment(0),))


def test_a_resend_counts_and_waits_and_opens_another_handoff():
    state = given(requested(), requested(at=30, send=2, since=0, price=2)).state
    assert state == Verification(
        current=msgspec.structs.replace(FIRST, sends=2, resend_at=moment(90)),
        handoffs=(HANDOFF, Handoff("ver_1", 2, 2, moment(30))),
        requests=(moment(0), moment(30)),
    )


def test_a_message_that_a_provider_took_is_off_our_hands():
    state = given(requested(), requested(at=30, send=2, since=0), sent(at=31, send=1)).state
    assert (state.handoffs, state.sent) == ((Handoff("ver_1", 2, 1, moment(30)),), (TAKEN,))


def test_the_same_number_of_message_in_another_verification_is_another_message():
    two = [requested(), requested(at=300, of="ver_2")]
    assert given(*two, sent(of="ver_1")).state.handoffs == (Handoff("ver_2", 1, 1, moment(300)),)
    assert given(*two, send_failed(of="ver_2")).state.handoffs == (HANDOFF,)


def test_a_message_that_failed_is_off_our_hands_and_may_be_asked_for_again_at_once():
    state = given(requested(), send_failed(at=2)).state
    assert state == Verification(current=msgspec.structs.replace(FIRST, resend_at=moment(2)))


def test_the_fate_of_an_older_verification_leaves_the_current_one_alone():
    now = given(requested(), requested(at=300, of="ver_2")).state
    assert now.current is not None
    late = [send_failed(at=301), *failed(at=302), verified(at=303, token="tok_9"), cancelled(at=304)]
    state = given(requested(), requested(at=300, of="ver_2"), *late).state
    assert state.current == now.current
    assert state.tokens == (Token("tok_9", "ver_1", MASK, moment(303), moment(903)),)


def test_facts_about_a_number_without_a_verification_are_kept_and_harm_nothing():
    state = given(send_failed(), sent(), *failed(at=1), cancelled(), redeemed()).state
    assert state == Verification(failures=(moment(1),))


def test_wrong_codes_are_counted_and_remembered():
    state = given(requested(), *failed(times=2, at=1, every=1)).state
    assert state == Verification(
        current=msgspec.structs.replace(FIRST, attempts_left=3),
        handoffs=(HANDOFF,),
        requests=(moment(0),),
        failures=(moment(1), moment(2)),
    )


def test_no_more_than_so_many_wrong_codes_are_remembered():
    state = given(*failed(times=FAILURES_KEPT_MAX + 5, at=0, every=1)).state
    assert state.failures == tuple(moment(n) for n in range(5, FAILURES_KEPT_MAX + 5))
    assert FAILURES_KEPT_MAX == 20


def test_success_ends_the_verification_forgives_wrong_codes_and_earns_a_token():
    state = given(requested(), sent(), *failed(), verified(at=10)).state
    assert state == Verification(
        current=msgspec.structs.replace(FIRST, attempts_left=4, outcome="verified"),
        sent=(TAKEN,),
        requests=(moment(0),),
        tokens=(Token("tok_1", "ver_1", MASK, moment(10), moment(610)),),
        verified_at=moment(10),
    )


def test_a_redeemed_token_is_remembered_as_such_and_others_stay():
    state = given(verified(token="tok_1"), verified(token="tok_2"), redeemed(token="tok_1")).state
    assert [(token.id, token.redeemed) for token in state.tokens] == [("tok_1", True), ("tok_2", False)]


def test_a_cancelled_verification_is_over():
    state = given(requested(), sent(), cancelled()).state
    assert state == Verification(
        current=msgspec.structs.replace(FIRST, outcome="cancelled"), sent=(TAKEN,), requests=(moment(0),)
    )


@pytest.mark.parametrize("outcome", ["delivered", "undelivered"])
def test_a_report_settles_the_message_that_it_is_about(outcome):
    two = [requested(), sent(), requested(at=30, send=2, since=0), sent(at=31, send=2)]
    before = given(*two).state
    state = given(*two, reported(outcome, send=1)).state
    assert state == msgspec.structs.replace(before, sent=(Handoff("ver_1", 2, 1, moment(30), "inbox"),))


def test_a_report_about_no_message_of_ours_changes_nothing():
    before = given(requested()).state
    assert given(requested(), reported()).state == before
    assert given(requested(), sent(), reported(of="ver_2"), reported(send=2)).state == given(requested(), sent()).state


def test_no_more_than_so_many_messages_wait_for_a_report():
    many = [event for n in range(18) for event in (requested(of=f"ver_{n}"), sent(of=f"ver_{n}"))]
    assert [message.verification_id for message in given(*many).state.sent] == [f"ver_{n}" for n in range(2, 18)]
    assert SENT_KEPT_MAX == 16


def test_facts_about_accounts_change_nothing():
    assert given(requested(), opened(), added(5)).state == given(requested()).state


def test_every_kind_of_event_folds_into_an_empty_state():
    events = [requested(), sent(), unconfirmed(), send_failed(), reported(), *failed()]
    events += [verified(), redeemed(), cancelled()]
    assert [type(event) for event in events] == list(VERIFICATION_EVENTS)
    for event in events:
        assert isinstance(given(event).state, Verification)
    assert given(AccountOpened(at=moment(0), account_id="acct_a", name="A", mode="live")).state == Verification()


@pytest.mark.parametrize(
    ("moment_asked", "life"), [(0, True), (299.999, True), (300, False)], ids=["begin", "last", "over"]
)
def test_a_verification_is_live_until_its_end(moment_asked, life):
    assert FIRST.is_live(moment(moment_asked)) is life


@pytest.mark.parametrize("change", [{"outcome": "verified"}, {"outcome": "cancelled"}, {"attempts_left": 0}])
def test_a_verification_that_is_over_is_not_live(change):
    assert not msgspec.structs.replace(FIRST, **change).is_live(moment(1))


def test_the_open_handoff_is_found_by_verification_and_message():
    state = given(requested(), requested(at=30, send=2, since=0, price=7), requested(at=300, of="ver_2")).state
    found = verifications.handoff(state, verification_id="ver_1", send=2)
    assert found == Handoff("ver_1", 2, 7, moment(30))
    for verification_id, send in (("ver_1", 3), ("ver_2", 2), ("ver_3", 1)):
        with pytest.raises(StateConflict):
            verifications.handoff(state, verification_id=verification_id, send=send)


def test_a_handoff_is_settled_once():
    for fate in (sent(), send_failed()):
        with pytest.raises(StateConflict):
            verifications.handoff(given(requested(), fate).state, verification_id="ver_1", send=1)


def test_a_message_of_which_nobody_knows_is_still_in_our_hands_and_keeps_its_cooldown():
    state = given(requested(), unconfirmed(at=10)).state
    held = Handoff("ver_1", 1, 1, moment(0), "inbox", True)  # noqa: FBT003
    assert state == Verification(current=FIRST, handoffs=(held,), requests=(moment(0),))
    with pytest.raises(StateConflict):
        verifications.unconfirmed(state, verification_id="ver_1", send=1)
    assert verifications.unconfirmed(given(requested()).state, verification_id="ver_1", send=1) == HANDOFF
    with pytest.raises(StateConflict):
        verifications.unconfirmed(given(requested(), sent()).state, verification_id="ver_1", send=1)
    assert given(requested(), unconfirmed(provider="first"), sent()).state.sent == (TAKEN,)
    two = given(requested(), requested(at=30, send=2, since=0), unconfirmed(send=2)).state
    assert [handoff.is_unconfirmed for handoff in two.handoffs] == [False, True]


def report_on(
    state: Verification, *, of: str = "ver_1", send: int = 1, by: str = "inbox", delivered: bool = True, at: float = 301
) -> Handoff:
    return verifications.reportable(
        state, verification_id=of, send=send, provider=by, delivered=delivered, now=moment(at)
    )


def test_the_message_that_a_report_is_about_is_found_by_verification_and_number():
    messages = [requested(price=7), requested(at=30, send=2, since=0), requested(at=300, of="ver_2")]
    state = given(*messages, sent(), sent(of="ver_2")).state
    assert report_on(state) == Handoff("ver_1", 1, 7, moment(0), "inbox")
    assert report_on(state, of="ver_2") == Handoff("ver_2", 1, 1, moment(300), "inbox")
    for verification_id, send in (("ver_1", 2), ("ver_2", 2), ("ver_3", 1)):
        with pytest.raises(StateConflict):
            report_on(state, of=verification_id, send=send)


def test_a_message_is_reported_once_and_only_if_it_was_sent():
    for fate in ([], [send_failed()], [sent(), reported()]):
        with pytest.raises(StateConflict):
            report_on(given(requested(), *fate).state)


def test_only_the_one_who_took_a_message_can_say_that_it_was_not_delivered():
    state = given(requested(), sent()).state
    assert report_on(state, by="another") == report_on(state, delivered=False) == TAKEN
    with pytest.raises(StateConflict):
        report_on(state, by="another", delivered=False)


@pytest.mark.parametrize(("seconds", "counts"), [(RECEIPT_SECONDS_MAX, True), (RECEIPT_SECONDS_MAX + 1, False)])
def test_a_report_that_comes_days_later_changes_nothing(seconds, counts):
    state = given(requested(), sent()).state
    if counts:
        assert report_on(state, delivered=False, at=seconds) == TAKEN
    else:
        with pytest.raises(StateConflict):
            report_on(state, delivered=False, at=seconds)


def test_a_state_survives_being_written_down():
    state = given(requested(), *failed(), verified(), redeemed(), requested(at=300, of="ver_2")).state
    assert msgspec.json.decode(msgspec.json.encode(state), type=Verification) == state
