"""The fraud guard: what shuts, what is held, what is asked for a challenge, and what opens again."""

from itertools import count
from random import Random

import msgspec
import pytest

from domain import guard
from domain.events import AttemptFailed, CodeRequested, DeliveryReported, SendFailed, TokenRedeemed, Verified
from domain.guard import Place, Reason, Verdict, Watch
from domain.policy import Policy
from tests.support.given import moment

POLICY = Policy(
    guard_prefix_unverified_max=4,
    guard_lead_unverified_max=8,
    guard_country_unverified_max=16,
    guard_account_unverified_max=32,
    guard_trial_verified=0,
    guard_failed_checks_max=10,
    guard_conversion_percent_min=50,
    guard_new_prefix_percent_min=50,
    guard_success_percent_min=20,
    guard_probe_sends=2,
)
"""Small figures. A scope shuts at these, and is held at two and a half times as many; each good one allows for one more."""
NEAR = Place("near", "+90532", "TR")
HOUR = 3_600
BLOCK = 14_400
LATER = 240
"""Seconds after which a message is no longer young."""


def place(number: int, *, lead: str = "+90532", country: str = "TR") -> Place:
    """One prefix of many."""
    return Place(f"prefix {number}", lead, country)


class Story:
    """A log's watch, and what happened to it in seconds after noon."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.watch = Watch(policy)
        self._ids = count(1)

    def send(self, to: Place = NEAR, *, at: float = 0, of: str = "", send: int = 1) -> str:
        of = of or f"ver_{next(self._ids)}"
        event = CodeRequested(
            at=moment(at),
            verification_id=of,
            phone=to.lead + "****2719",
            country=to.country,
            send=send,
            seed="00",
            digits=6,
            expires_at=moment(at + 300),
            resend_in=30,
            attempts_left=5,
            price_credits=1,
        )
        self.watch.observe(event, to)
        return of

    def verify(self, of: str, *, at: float = 0) -> None:
        self.watch.observe(
            Verified(at=moment(at), verification_id=of, phone="", token_id="", token_expires_at=moment(at))
        )

    def fail(self, *, at: float = 0, times: int = 1) -> None:
        for _ in range(times):
            self.watch.observe(AttemptFailed(at=moment(at), verification_id="ver_1", attempts_left=4))

    def verdict(self, to: Place = NEAR, *, at: float = 0, ahead: dict[str, int] | None = None) -> Verdict:
        return self.watch.judge(to, now=int(moment(at).timestamp()), ahead=ahead or {})

    def stage(self, to: Place = NEAR, *, at: float = 0) -> str:
        verdict = self.verdict(to, at=at)
        return verdict.stage + ("" if verdict.reason is None else f" {verdict.reason.scope}")

    def unanswered(self, times: int, to: Place = NEAR, *, at: float = 0) -> "Story":
        for _ in range(times):
            self.send(to, at=at)
        return self

    def answered(self, times: int, to: Place = NEAR, *, at: float = 0) -> "Story":
        for _ in range(times):
            self.verify(self.send(to, at=at), at=at)
        return self


def test_a_place_of_which_nothing_is_known_is_open():
    assert Story().verdict() == guard.OPEN


def test_messages_that_may_still_be_verified_ask_for_a_challenge_and_hold_until_they_are():
    story = Story()
    stages = []
    for _ in range(11):
        stages.append(story.stage())
        story.send()
    assert stages == ["open"] * 5 + ["challenge prefix"] * 5 + ["block prefix"]
    for number in range(1, 7):
        story.verify(f"ver_{number}", at=30)
    assert story.stage(at=30) == "open"


def test_messages_that_nobody_verified_in_time_shut_a_prefix_for_hours():
    assert [Story().unanswered(n).stage(at=LATER) for n in (1, 2, 3, 4)] == [
        *("open", "challenge prefix", "challenge prefix", "block prefix"),
    ]


def test_a_shut_prefix_says_why():
    story = Story().unanswered(5).answered(1)
    story.send(at=LATER - 60)
    assert story.verdict(at=LATER) == Verdict(
        "block",
        Reason(
            scope="prefix",
            of="+90532****",
            stage="block",
            window_seconds=HOUR,
            bad=6,
            young=1,
            good=1,
            limit=5,
            held_limit=11,
            until=int(moment(LATER - 60 + BLOCK).timestamp()),
        ),
    )
    assert [reason.scope for reason in story.watch.tripped] == ["prefix"]


def test_the_others_of_its_lead_stay_open():
    story = Story().unanswered(4)
    assert (story.stage(at=LATER), story.stage(place(2), at=LATER)) == ("block prefix", "open")


@pytest.mark.parametrize("verified", [4, 40, 400])
def test_what_is_verified_allows_for_what_is_not_at_the_least_conversion(verified):
    at_the_limit = Story().answered(verified).unanswered(verified + 3)
    assert at_the_limit.stage(at=LATER) == "challenge prefix"
    assert at_the_limit.unanswered(1).stage(at=LATER) == "block prefix"


def test_honest_traffic_never_asks_anything_of_anybody():
    story, chance = Story(Policy()), Random(1)
    for number in range(3_000):
        to, at = place(chance.randrange(700)), number / 10
        assert story.stage(to, at=at) == "open"
        of = story.send(to, at=at)
        if chance.random() < 0.85:
            story.verify(of, at=at)


def test_a_resend_is_one_more_message_and_one_code_verifies_them_all():
    story = Story()
    for send in (1, 2, 3, 4):
        story.send(of="ver_a", send=send)
    assert story.stage(at=LATER) == "block prefix"
    again = Story()
    for send in (1, 2, 3, 4):
        again.send(of="ver_a", send=send)
    again.verify("ver_a", at=100)
    assert again.stage(at=LATER) == "open"


@pytest.mark.parametrize("to", [NEAR, place(1)])
def test_what_reached_nobody_and_was_paid_back_does_not_count(to):
    story = Story()
    for number in range(12):
        of = story.send(to)
        if number % 2:
            story.watch.observe(SendFailed(at=moment(1), verification_id=of, send=1, reason="unreachable"))
        else:
            lost = DeliveryReported(at=moment(1), verification_id=of, send=1, outcome="undelivered", provider="x")
            story.watch.observe(lost)
            story.watch.observe(lost)
    assert (story.stage(to, at=LATER), story.stage(place(9), at=LATER)) == ("open", "open")


def test_a_report_of_delivery_changes_nothing():
    story = Story().unanswered(4)
    story.watch.observe(
        DeliveryReported(at=moment(1), verification_id="ver_1", send=1, outcome="delivered", provider="x")
    )
    story.watch.observe(TokenRedeemed(at=moment(1), verification_id="ver_1", phone="", token_id=""))
    story.watch.observe(SendFailed(at=moment(1), verification_id="ver_unknown", send=1, reason="unreachable"))
    story.verify("ver_unknown")
    assert story.stage(at=LATER) == "block prefix"


@pytest.mark.parametrize(
    ("spread", "scope", "limit"),
    [
        (place, "lead", 8),
        (lambda n: place(n, lead=f"+9053{n % 7}"), "country", 16),
        (lambda n: place(n, lead=f"+{n % 31}", country=f"C{n % 31}"), "account", 32),
    ],
    ids=["lead", "country", "account"],
)
def test_an_attack_that_spreads_shuts_the_scope_over_which_it_spreads(spread, scope, limit):
    story = Story()
    for number in range(limit - 1):
        story.send(spread(number))
    assert story.stage(spread(1_000), at=LATER) == f"challenge {scope}"
    story.send(spread(limit))
    verdict = story.verdict(spread(1_000), at=LATER)
    assert verdict.reason is not None
    assert (verdict.stage, verdict.reason.scope, verdict.reason.bad) == ("block", scope, limit)


def test_prefixes_in_which_somebody_verified_do_not_suffer_from_the_others():
    story = Story().answered(1)
    for number in range(40):
        story.send(place(number))
    assert (story.stage(at=LATER), story.stage(place(99), at=LATER)) == ("open", "block lead")


def test_a_prefix_that_verifies_takes_what_it_brought_out_of_the_wider_scopes():
    story = Story()
    ids = [story.send(place(number)) for number in range(19)]
    assert story.stage(place(99)) == "challenge lead"
    for of in ids:
        story.verify(of)
    assert story.stage(place(99)) == "open"


def test_a_range_that_moves_on_shuts_prefix_after_prefix_and_then_its_lead():
    story, stages, lost = Story(), list[str](), 0
    for number in range(400):
        to = place(number // 50)
        stage = story.stage(to, at=number * 5)
        stages.append(stage)
        if not stage.startswith("block"):
            story.send(to, at=number * 5)
            lost += 1
    shut = [stage for before, stage in zip(["", *stages], stages, strict=False) if stage != before]
    assert (shut[-1], stages.count("block prefix") > 0, lost <= 20) == ("block lead", True, True)


def test_what_was_held_shuts_before_the_wider_scope_that_it_alone_would_shut():
    story = Story().unanswered(10)
    assert (story.stage(), story.stage(place(2))) == ("block prefix", "challenge lead")
    assert (story.stage(place(2), at=LATER), story.stage(at=LATER)) == ("challenge lead", "block prefix")
    assert [reason.scope for reason in story.watch.tripped] == ["prefix"]


def test_a_held_lead_is_settled_before_its_country_is_shut():
    wide = {"guard_lead_unverified_max": 8, "guard_country_unverified_max": 20, "guard_account_unverified_max": 21}
    story = Story(Policy(**wide, guard_trial_verified=0))
    for number in range(20):
        story.send(place(number))
    assert story.stage(place(99)) == "block lead"
    elsewhere = place(100, lead="+90542")
    assert (story.stage(elsewhere, at=LATER), story.stage(place(99), at=LATER)) == ("challenge country", "block lead")
    assert story.stage(place(101, lead="+49151", country="DE"), at=LATER) == "open"


def test_after_its_hours_a_scope_is_half_open_and_shuts_again_for_twice_as_long():
    story = Story().unanswered(4)
    assert story.stage(at=LATER) == "block prefix"
    assert story.stage(at=LATER + BLOCK - 1) == "block prefix"
    half_open = LATER + BLOCK
    assert story.stage(at=half_open) == "challenge prefix"
    story.unanswered(2, at=half_open)
    assert story.stage(at=half_open + LATER) == "block prefix"
    assert story.stage(at=half_open + LATER + BLOCK) == "block prefix"
    assert story.stage(at=half_open + LATER + 2 * BLOCK) == "challenge prefix"


def test_no_scope_is_shut_for_more_than_a_day_at_a_time():
    story, at, until = Story().unanswered(4), 0, 0
    for _ in range(12):
        at += LATER
        verdict = story.verdict(at=at)
        assert verdict.reason is not None
        until = verdict.reason.until - int(moment(0).timestamp())
        assert until - at <= guard.BLOCK_SECONDS_MAX
        at = until
        story.unanswered(2, at=at)
    assert until - at <= 0


def test_whoever_verifies_opens_what_is_half_open():
    story = Story().unanswered(4)
    assert story.stage(at=LATER) == "block prefix"
    story.answered(1, at=LATER + 1)
    assert story.stage(at=LATER + 1) == "block prefix"
    story.answered(1, at=LATER + BLOCK)
    assert story.stage(at=LATER + BLOCK) == "open"


def test_a_first_verification_opens_the_wider_scopes_that_are_half_open():
    story = Story()
    for number in range(8):
        story.send(place(number))
    assert story.stage(place(99), at=LATER) == "block lead"
    assert story.stage(place(99), at=LATER + BLOCK) == "challenge lead"
    story.answered(1, place(99), at=LATER + BLOCK)
    assert story.stage(place(98), at=LATER + BLOCK) == "open"


def test_what_is_sent_from_a_prefix_apart_joins_nothing_wider():
    story = Story().unanswered(4)
    assert story.stage(at=LATER) == "block prefix"
    story.unanswered(30, at=LATER + 60)
    assert story.stage(place(2), at=LATER + 60) == "open"


def test_failed_checks_with_low_success_shut_the_account_until_they_leave_the_window():
    story = Story()
    story.fail(times=4)
    assert story.stage() == "open"
    story.fail(times=5)
    assert story.stage() == "challenge checks"
    story.fail()
    assert (story.stage(), story.stage(place(5))) == ("block checks", "block checks")
    assert story.stage(at=BLOCK) == "challenge checks"
    story.answered(1, at=BLOCK)
    assert story.stage(at=BLOCK) == "open"


def test_right_codes_allow_for_wrong_ones():
    story = Story().answered(10)
    story.fail(times=49)
    assert story.stage() == "challenge checks"
    story.fail()
    assert story.stage() == "block checks"


def test_what_a_batch_has_decided_counts_before_it_is_stored():
    story, ahead = Story().unanswered(3), dict[str, int]()
    for _ in range(7):
        assert story.verdict(ahead=ahead).stage != "block"
        story.watch.reserve(NEAR, ahead)
    assert story.verdict(ahead=ahead).stage == "block"
    assert ahead == {"near": 7, "lead +90532****": 7, "country TR": 7, "account ": 7}
    story.answered(1)
    story.watch.reserve(NEAR, ahead := {})
    assert ahead == {"near": 1}


def test_all_that_is_not_open_can_be_listed():
    story = Story().unanswered(4)
    story.unanswered(10, place(1, lead="+49151", country="DE"), at=LATER)
    story.stage(at=LATER)
    for number in range(10):
        story.send(place(10 + number, lead="+44791", country="GB"), at=LATER)
    reasons = story.watch.reasons(now=int(moment(LATER).timestamp()))
    assert sorted((reason.scope, reason.of, reason.stage) for reason in reasons) == [
        ("lead", "+44791****", "challenge"),
        ("lead", "+49151****", "challenge"),
        ("prefix", "+49151****", "block"),
        ("prefix", "+90532****", "block"),
    ]
    assert [reason.until for reason in reasons if reason.of == "+90532****"] == [int(moment(LATER + BLOCK).timestamp())]


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(guard, "PREFIXES_MAX", 5)
    monkeypatch.setattr(guard, "LEADS_MAX", 3)
    monkeypatch.setattr(guard, "OPEN_MAX", 7)
    story = Story()
    for number in range(50):
        story.send(place(number, lead=f"+{number}"), at=number)
        story.verdict(place(number + 100), at=number)
    assert story.watch.size == 5 + 3 + 7


def test_a_code_that_cannot_be_verified_any_more_is_forgotten():
    story = Story().unanswered(3)
    story.send(at=guard.OPEN_SECONDS_MAX + 60)
    assert story.watch.size == 1 + 1 + 1


def test_an_account_that_has_hardly_verified_anybody_is_on_trial_and_its_wide_scopes_allow_more():
    policy = msgspec.structs.replace(POLICY, guard_trial_verified=1)
    story = Story(policy)
    for number in range(63):
        story.unanswered(1, place(number))
    assert story.stage(place(100), at=LATER) == "challenge lead"
    story.unanswered(1, place(63))
    assert story.stage(place(100), at=LATER) == "block lead"
    story = Story(policy)
    for number in range(63):
        story.unanswered(1, place(number))
    story.verify(story.send(place(64)))
    assert story.stage(place(100), at=LATER) == "block lead"
    assert Story(policy).unanswered(4).stage(at=LATER) == "block prefix"
