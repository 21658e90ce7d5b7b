"""Send, check, redeem, cancel, and the fate of a message: what is recorded and what is answered."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from application.verifications import (
    Cancelled,
    Checked,
    GiveUp,
    Outgoing,
    RecordDelivery,
    RecordUnconfirmed,
    Redeemed,
    Sent,
)
from domain.events import (
    AttemptFailed,
    CodeRequested,
    CodeSent,
    CreditDebited,
    CreditRefunded,
    DeliveryReported,
    SendFailed,
    TokenRedeemed,
    VerificationCancelled,
    Verified,
)
from domain.policy import Policy
from domain.rates import FLAT
from domain.refusals import (
    AccountSuspended,
    InvalidToken,
    StateConflict,
    TokenAlreadyRedeemed,
    TokenExpired,
    TokenPhoneMismatch,
    VerificationNotFound,
    WrongCode,
)
from domain.text import compose
from domain.verification import UNCONFIRMED_SECONDS_MAX
from tests.application.world import ACCOUNT, NUMBER, OTHER_NUMBER, TEST_LOG, Process, events, kinds, names, process
from tests.support.clock import NOON

MASK = "+1415****2671"
CALLER: Any = {"key_id": "key_1", "client_ip": "192.0.2.0"}


def wrong(code: str) -> str:
    return "0" * len(code) if code != "0" * len(code) else "1" * len(code)


def test_a_message_is_asked_for_and_paid_in_one_append():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    requested, debited = events(home.recorder)[2:]
    assert isinstance(requested, CodeRequested)
    of = outgoing.answer.verification_id
    assert outgoing == Outgoing(
        Sent(status="pending", expires_in=300, verification_id=of, resend_in=30),
        outgoing.code,
        outgoing.text,
        1,
        NOON,
        1,
    )
    assert requested == CodeRequested(
        at=NOON,
        **CALLER,
        verification_id=of,
        phone=MASK,
        country="US",
        send=1,
        seed=requested.seed,
        digits=6,
        expires_at=NOON + timedelta(seconds=300),
        resend_in=30,
        attempts_left=5,
        price_credits=1,
        prefix_tag=home.keyring.tagged(home.keyring.prefix_of(ACCOUNT, NUMBER), seed=requested.seed),
    )
    assert debited == CreditDebited(
        at=NOON, verification_id=of, send=1, credits=1, rate_card=FLAT.id, country="US", unit_credits=1
    )
    assert outgoing.text == compose(outgoing.code, minutes=5)
    assert (len(requested.seed), len(outgoing.code)) == (32, 6)


def test_a_resend_repeats_the_code_and_is_paid_for():
    home = process()
    first: Outgoing = home.do(home.send())
    home.clock.advance(seconds=30)
    second: Outgoing = home.do(home.send())
    assert second == Outgoing(
        Sent(expires_in=270, verification_id=first.answer.verification_id, resend_in=60),
        first.code,
        second.text,
        2,
        NOON + timedelta(seconds=30),
        1,
    )
    assert home.balance()["debited"] == 2


def test_another_verification_of_the_number_has_another_code_and_seed():
    home = process(credits=1_000)
    codes, seeds = set(), set()
    for _ in range(50):
        outgoing: Outgoing = home.do(home.send())
        codes.add(outgoing.code)
        seeds |= {event.seed for event in events(home.recorder) if isinstance(event, CodeRequested)}
        home.clock.advance(seconds=9_000)
    assert (len(seeds), len(codes) > 45) == (50, True)


def test_a_policy_decides_the_length_of_codes():
    home = process()
    eight: Outgoing = home.do(home.send(policy=Policy(code_digits=8)))
    assert len(eight.code) == 8
    assert isinstance(home.do(home.check(eight.code)), Checked)


def test_a_right_code_is_answered_with_its_token():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    checked: Checked = home.do(home.check(outgoing.code, of=outgoing.answer.verification_id))
    verified = events(home.recorder)[-1]
    assert isinstance(verified, Verified)
    assert verified == Verified(
        at=NOON,
        **CALLER,
        verification_id=outgoing.answer.verification_id,
        phone=MASK,
        token_id=verified.token_id,
        token_expires_at=NOON + timedelta(seconds=600),
    )
    assert checked == Checked(
        status="verified",
        token=home.tokens.issue("acct_a", verified),
        verification_id=outgoing.answer.verification_id,
    )


def test_a_wrong_code_is_recorded_and_says_what_is_left():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    with pytest.raises(WrongCode) as refused:
        home.do(home.check(wrong(outgoing.code)))
    assert refused.value.extras == {"attempts_left": 4}
    assert events(home.recorder)[-1] == AttemptFailed(
        at=NOON, **CALLER, verification_id=outgoing.answer.verification_id, attempts_left=4
    )


def test_the_verification_of_another_number_is_not_found():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    other: Outgoing = home.do(home.send(OTHER_NUMBER))
    ours = outgoing.answer.verification_id
    made_up = ours[:-1] + ("A" if ours[-1] != "A" else "B")
    for of in (other.answer.verification_id, made_up, "ver_x", "", ours[:-1]):
        with pytest.raises(VerificationNotFound):
            home.do(home.check(outgoing.code, of=of))
    assert names(home.recorder)[-1] == "CreditDebited"


def test_a_code_is_good_for_its_own_number_only():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.send(OTHER_NUMBER))
    assert kinds(home.ask(home.check(outgoing.code, OTHER_NUMBER))) == ["WrongCode"]


def test_a_token_is_redeemed_once_with_or_without_its_number():
    for number in (None, NUMBER):
        home = process()
        outgoing: Outgoing = home.do(home.send())
        checked: Checked = home.do(home.check(outgoing.code))
        of = outgoing.answer.verification_id
        assert home.do(home.redeem(checked.token, number)) == Redeemed(
            valid=True, phone_number=MASK, verification_id=of
        )
        assert events(home.recorder)[-1] == TokenRedeemed(
            at=NOON,
            **CALLER,
            verification_id=of,
            phone=MASK,
            token_id=home.tokens.read("acct_a", checked.token).jti,
        )
        with pytest.raises(TokenAlreadyRedeemed):
            home.do(home.redeem(checked.token, number))


def test_a_token_of_another_number_stays_unredeemed():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    token = home.do(home.check(outgoing.code)).token
    with pytest.raises(TokenPhoneMismatch):
        home.do(home.redeem(token, OTHER_NUMBER))
    assert isinstance(home.do(home.redeem(token, NUMBER)), Redeemed)


def test_a_token_expires():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    token = home.do(home.check(outgoing.code)).token
    home.clock.advance(seconds=600)
    with pytest.raises(TokenExpired):
        home.do(home.redeem(token))


def test_an_expired_token_says_so_though_another_was_earned_since():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    old = home.do(home.check(outgoing.code)).token
    home.clock.advance(seconds=600)
    again: Outgoing = home.do(home.send())
    new = home.do(home.check(again.code)).token
    assert kinds(home.ask(home.redeem(old), home.redeem(new))) == ["TokenExpired", "Redeemed"]


def test_live_and_test_know_nothing_of_each_other():
    home = process()
    live: Outgoing = home.do(home.send())
    test: Outgoing = home.do(home.send(log=TEST_LOG))
    tokens = [home.do(home.check(live.code)).token, home.do(home.check(test.code, log=TEST_LOG)).token]
    assert kinds(
        home.ask(
            home.redeem(tokens[0], log=TEST_LOG),
            home.redeem(tokens[1]),
            home.check(live.code, of=test.answer.verification_id),
            home.check(test.code, of=live.answer.verification_id, log=TEST_LOG),
            home.cancel(test.answer.verification_id),
        )
    ) == ["InvalidToken", "InvalidToken", "VerificationNotFound", "VerificationNotFound", "VerificationNotFound"]
    home.clock.advance(seconds=10_000)
    assert kinds(home.ask(home.redeem(tokens[0], log=TEST_LOG), home.redeem(tokens[1]))) == ["InvalidToken"] * 2


def test_a_test_log_sends_nothing_that_costs():
    home = process(credits=0)
    outgoing: Outgoing = home.do(home.send(log=TEST_LOG))
    assert names(home.recorder, TEST_LOG) == ["AccountOpened", "CodeRequested"]
    requested = events(home.recorder, TEST_LOG)[1]
    assert isinstance(requested, CodeRequested)
    assert requested.price_credits == 0
    home.do(home.refused(outgoing, log=TEST_LOG))
    assert names(home.recorder, TEST_LOG)[2:] == ["SendFailed"]


def test_a_verification_is_cancelled_once_and_found_by_its_id_alone():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    of = outgoing.answer.verification_id
    assert home.do(home.cancel(of)) == Cancelled(verification_id=of, status="cancelled")
    assert events(home.recorder)[-1] == VerificationCancelled(at=NOON, **CALLER, verification_id=of)
    assert home.do(home.cancel(of)) == Cancelled(verification_id=of)
    assert names(home.recorder).count("VerificationCancelled") == 1
    assert kinds(home.ask(home.check(outgoing.code))) == ["VerificationCancelled"]


def test_what_was_never_a_verification_cannot_be_cancelled():
    home = process()
    nobody = "ver_" + home.stream() + "A" * 12
    for of in ("", "ver_x", nobody, nobody + "A", nobody.replace("A", "~")):
        with pytest.raises(VerificationNotFound):
            home.do(home.cancel(of))


def test_a_verification_that_is_over_cannot_be_cancelled():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.check(outgoing.code))
    with pytest.raises(StateConflict):
        home.do(home.cancel(outgoing.answer.verification_id))


def test_a_suspended_account_sends_checks_redeems_and_cancels_nothing():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    token = home.do(home.check(outgoing.code)).token
    live: Outgoing = home.do(home.send(OTHER_NUMBER))
    home.do(home.suspend())
    before = names(home.recorder)
    commands = (
        home.send("+447911123456"),
        home.check(live.code, OTHER_NUMBER),
        home.redeem(token),
        home.cancel(live.answer.verification_id),
    )
    assert kinds(home.ask(*commands)) == [AccountSuspended.__name__] * 4
    assert names(home.recorder) == before
    home.do(home.resume())
    assert kinds(home.ask(*commands[:3])) == ["Outgoing", "Checked", "Redeemed"]


def test_what_becomes_of_a_message_is_recorded_though_the_account_is_suspended():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.suspend())
    home.do(home.refused(outgoing))
    assert names(home.recorder)[-2:] == ["SendFailed", "CreditRefunded"]


def test_a_message_that_a_provider_took_is_recorded_once():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.took(outgoing))
    assert events(home.recorder)[-1] == CodeSent(
        at=NOON,
        verification_id=outgoing.answer.verification_id,
        send=1,
        provider="inbox",
        message_id="msg_1",
        segments=1,
    )
    for again in (home.took(outgoing), home.refused(outgoing)):
        with pytest.raises(StateConflict):
            home.do(again)
    assert home.balance()["refunded"] == 0


def test_a_message_that_nobody_took_is_paid_back_in_the_same_append_and_once():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    of = outgoing.answer.verification_id
    home.do(home.refused(outgoing))
    assert events(home.recorder)[-2:] == [
        SendFailed(at=NOON, verification_id=of, send=1, reason="unreachable", provider="inbox"),
        CreditRefunded(at=NOON, verification_id=of, send=1, credits=1, reason="unreachable"),
    ]
    answers = home.ask(*[home.refused(outgoing)] * 5, home.took(outgoing), home.delivery(outgoing, delivered=False))
    assert kinds(answers) == ["StateConflict"] * 7
    assert home.balance() == {"available": 100, "debited": 1, "refunded": 1, "added": 100, "position": 6}


def test_the_late_fate_of_a_message_of_an_older_verification_is_recorded_with_what_it_cost():
    home = process()
    old: Outgoing = home.do(home.send())
    home.clock.advance(seconds=300)
    new: Outgoing = home.do(home.send())
    home.do(home.refused(old))
    home.do(home.took(new))
    assert home.balance()["refunded"] == 1
    assert isinstance(home.do(home.check(new.code)), Checked)


def test_an_undelivered_message_is_paid_back_once():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    of = outgoing.answer.verification_id
    with pytest.raises(StateConflict):
        home.do(home.delivery(outgoing, delivered=False))
    home.do(home.took(outgoing))
    answers = home.ask(*[home.delivery(outgoing, delivered=False)] * 3, home.delivery(outgoing, delivered=True))
    assert answers[0] is None
    assert kinds(answers[1:]) == ["StateConflict"] * 3
    assert events(home.recorder)[-2:] == [
        DeliveryReported(
            at=NOON, verification_id=of, send=1, outcome="undelivered", provider="inbox", reason="handset off"
        ),
        CreditRefunded(at=NOON, verification_id=of, send=1, credits=1, reason="undelivered"),
    ]
    assert home.balance()["refunded"] == 1


def test_a_delivered_message_is_reported_once_and_paid_for():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.took(outgoing))
    assert kinds(home.ask(*[home.delivery(outgoing, delivered=True)] * 2)) == ["NoneType", "StateConflict"]
    assert names(home.recorder)[-2:] == ["CodeSent", "DeliveryReported"]


# What nobody confirmed.


def unconfirmed(home: Process, outgoing: Outgoing) -> RecordUnconfirmed:
    return RecordUnconfirmed(ACCOUNT, home.stream(), outgoing.answer.verification_id, 1, "timeout", "first")


def report(home: Process, outgoing: Outgoing, *, delivered: bool | None, **more: Any) -> RecordDelivery:
    of = outgoing.answer.verification_id
    return RecordDelivery(ACCOUNT, home.stream(), of, 1, delivered, "first", message_id="SM1", **more)


def give_up(home: Process, outgoing: Outgoing) -> GiveUp:
    return GiveUp(ACCOUNT, home.stream(), outgoing.answer.verification_id, 1)


@pytest.mark.parametrize(
    ("delivered", "follows", "available"),
    [
        (None, ["CodeSent"], 99),
        (True, ["CodeSent", "DeliveryReported"], 99),
        (False, ["CodeSent", "DeliveryReported", "CreditRefunded"], 100),
    ],
)
def test_a_receipt_says_what_became_of_an_unconfirmed_message(delivered, follows, available):
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(unconfirmed(home, outgoing))
    assert (home.balance()["available"], names(home.recorder)[-1]) == (99, "SendUnconfirmed")
    home.do(report(home, outgoing, delivered=delivered))
    assert (names(home.recorder)[5:], home.balance()["available"]) == (follows, available)
    sent = events(home.recorder)[5]
    assert (sent.provider, sent.message_id) == ("first", "SM1")
    again = home.ask(report(home, outgoing, delivered=delivered), unconfirmed(home, outgoing), give_up(home, outgoing))
    assert kinds(again) == ["StateConflict"] * 3


def test_an_unconfirmed_message_without_a_receipt_is_paid_back_once_after_its_time():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(unconfirmed(home, outgoing))
    home.clock.advance(seconds=UNCONFIRMED_SECONDS_MAX - 1)
    assert kinds(home.ask(give_up(home, outgoing))) == ["StillUnderWay"]
    home.clock.advance(seconds=1)
    late = report(home, outgoing, delivered=False)
    assert kinds(home.ask(*[give_up(home, outgoing)] * 2, late)) == ["NoneType", "StateConflict", "StateConflict"]
    failed, refunded = events(home.recorder)[-2:]
    assert (failed.reason, failed.provider, refunded.reason, home.balance()["available"]) == (
        "unknown",
        "first",
        "unknown",
        100,
    )


def test_a_message_whose_process_died_is_given_up_as_abandoned():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(give_up(home, outgoing))
    assert (events(home.recorder)[-2].reason, home.balance()["available"]) == ("abandoned", 100)


def test_a_receipt_that_comes_before_the_answer_waits_for_whoever_has_the_message_and_then_counts():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    assert kinds(home.ask(report(home, outgoing, delivered=True))) == ["StillUnderWay"]
    home.do(report(home, outgoing, delivered=True, has_waited=True))
    assert names(home.recorder)[4:] == ["CodeSent", "DeliveryReported"]
    assert kinds(home.ask(home.took(outgoing))) == ["StateConflict"]


def test_an_undelivered_test_message_costs_nothing_back():
    home = process()
    outgoing: Outgoing = home.do(home.send(log=TEST_LOG))
    home.do(home.took(outgoing, log=TEST_LOG))
    home.do(home.delivery(outgoing, delivered=False, log=TEST_LOG))
    assert names(home.recorder, TEST_LOG)[2:] == ["CodeSent", "DeliveryReported"]


def test_no_clear_number_code_key_or_token_is_ever_stored():
    home = process()
    outgoing: Outgoing = home.do(home.send(key="idempotent"))
    checked: Checked = home.do(home.check(outgoing.code))
    home.do(home.redeem(checked.token))
    stored = b"".join(
        record.state + record.stream.encode() + record.idempotency.encode()
        for record in home.recorder.select_log("acct_a", after=0, limit=100)
    ).decode()
    for secret in ("4155552671", "5552671", checked.token, f'"{outgoing.code}"', 'idempotent"'):
        assert secret not in stored


def test_what_holds_clear_numbers_and_codes_does_not_show_them_when_it_is_printed():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    token = home.do(home.check(outgoing.code)).token
    shown = repr((outgoing, home.send(), home.check(outgoing.code), home.redeem(token)))
    assert [secret in shown for secret in (NUMBER, outgoing.code, token)] == [False] * 3


def test_a_redemption_of_a_token_whose_number_never_verified_here_is_refused():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.check(outgoing.code))
    verified = events(home.recorder)[-1]
    assert isinstance(verified, Verified)
    forged = Verified(
        at=NOON,
        verification_id=verified.verification_id,
        phone=MASK,
        token_id="0" * 32,
        token_expires_at=verified.token_expires_at,
    )
    with pytest.raises(InvalidToken):
        home.do(home.redeem(home.tokens.issue("acct_a", forged)))


@pytest.mark.parametrize("name", ["+14155552671-1", "sms@192.0.2.7"])
def test_a_name_of_a_message_that_tells_a_number_or_an_address_is_not_kept(name: str):
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(replace(home.took(outgoing), message_id=name))
    sent = events(home.recorder)[-1]
    assert isinstance(sent, CodeSent)
    assert sent.message_id == ""
