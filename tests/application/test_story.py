"""A verification as a story: what happened, what the user saw, which limit ended it, and the outcome in a sentence."""

import dataclasses
from datetime import timedelta

from application.story import TOLD, Moment, Story, story
from application.verifications import Outgoing, RecordUnconfirmed
from domain.events import TYPES
from domain.policy import Policy
from domain.rates import FLAT
from tests.application.test_history import MASK, wrong
from tests.application.world import ACCOUNT, Process, memory, process


def told(home: Process, outgoing: Outgoing) -> Story:
    """The story of a verification from all there is in the log."""
    records = reversed(memory(home).log(ACCOUNT))
    now, of = home.clock.now(), outgoing.answer.verification_id
    found = story(records, verification_id=of, policy=Policy(), now=now)
    assert found is not None
    return found


def brief(found: Story) -> list[tuple[str, str, str]]:
    return [(moment.type, moment.said, moment.limit) for moment in found.moments]


def test_a_verified_number_with_every_moment_in_its_place():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.took(outgoing))
    home.do(home.delivery(outgoing, delivered=True))
    home.ask(home.check(wrong(outgoing.code)))
    home.clock.advance(seconds=5)
    token = home.do(home.check(outgoing.code)).token
    before = told(home, outgoing).outcome
    home.do(home.redeem(token))
    found = told(home, outgoing)
    ids = [f"{record.event_id.hex()}" for record in memory(home).log(ACCOUNT)[2:]]
    assert [moment.event_id.replace("-", "") for moment in found.moments] == ids
    assert [moment.position for moment in found.moments] == [3, 4, 5, 6, 7, 8, 9]
    assert [(moment.type, moment.user_saw) for moment in found.moments] == [
        ("CodeRequested", "A field for a code of 6 digits, valid for 300 s; another message after 30 s."),
        ("CreditDebited", "Nothing new."),
        ("CodeSent", "The message, once the network brings it."),
        ("DeliveryReported", "The message."),
        ("AttemptFailed", "“Wrong code”, 4 tries left."),
        ("Verified", "“Verified”, and the page has a token."),
        ("TokenRedeemed", "Whatever your server did then."),
    ]
    asked_by = (("Key", "key_1"), ("Address", "192.0.2.0"))
    assert [moment.facts for moment in found.moments[:3]] == [
        (("Number", MASK), ("Country", "US"), ("Segments", "1"), ("Price", "1 credit"), *asked_by),
        (("Credits", "1"), ("Rate card", FLAT.id)),
        (("Provider", "inbox"), ("Segments", "1"), ("Its name", "msg_1")),
    ]
    assert before == "Verified after 5 s; the token has not been redeemed. 1 message, 1 wrong code, 1 credit."
    assert found.outcome == "Verified after 5 s; the token was redeemed. 1 message, 1 wrong code, 1 credit."


def test_the_last_wrong_code_names_the_limit_that_it_met():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.ask(*[home.check(wrong(outgoing.code))] * 5)
    found = told(home, outgoing)
    assert brief(found)[-1] == (
        "AttemptFailed",
        "The last wrong code was compared.",
        "5 wrong codes end a verification.",
    )
    assert [moment.user_saw for moment in found.moments[-2:]] == [
        "“Wrong code”, 1 try left.",
        "“Too many wrong codes”: only a new code helps.",
    ]
    assert found.outcome == (
        "Failed: the codes that were tried were wrong, and no try is left. 1 message, 5 wrong codes, 1 credit."
    )


def test_a_message_that_no_provider_took_is_given_back_and_says_which_deadline_it_met():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(dataclasses.replace(home.refused(outgoing), reason="deadline"))
    home.clock.advance(seconds=300)
    found = told(home, outgoing)
    assert brief(found)[2:] == [
        ("SendFailed", "No provider took message 1.", "A message is handed over within 30 s or not at all."),
        ("CreditRefunded", "What message 1 cost was given back.", ""),
        ("Expired", "The code's life ended. That is computed; there is no event of it.", "A code lives 300 s."),
    ]
    assert found.moments[3].facts == (("Credits", "-1"), ("Reason", "deadline"))
    assert found.outcome == "Expired: no provider took message 1 (deadline). 1 message, 0 wrong codes, 0 credits."


def test_what_expired_says_as_much_of_the_reason_as_is_known():
    outcomes = []
    for delivered, guess in ((None, False), (True, False), (False, False), (True, True)):
        home = process()
        outgoing: Outgoing = home.do(home.send())
        home.do(home.took(outgoing))
        if delivered is not None:
            home.do(home.delivery(outgoing, delivered=delivered))
        if guess:
            home.ask(home.check(wrong(outgoing.code)))
        home.clock.advance(seconds=300)
        outcomes.append(told(home, outgoing).outcome.partition(". ")[0])
    assert outcomes == [
        "Expired: nobody entered the code in time",
        "Expired: message 1 arrived, and nobody entered its code in time",
        "Expired: message 1 was reported undelivered",
        "Expired: only wrong codes came in time",
    ]


def test_resends_repeat_the_code_until_the_last_one_says_so():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    for seconds in (30, 60, 120):
        home.clock.advance(seconds=seconds)
        home.do(home.send())
    asked = [moment for moment in told(home, outgoing).moments if moment.type == "CodeRequested"]
    assert [moment.limit for moment in asked] == ["", "", "", "The last of 4 messages of a verification."]
    assert asked[-1].user_saw == "That the same code was sent again, valid for another 90 s."
    assert told(home, outgoing).outcome == (
        "Pending: the right code would still count, with 5 tries left. 4 messages, 0 wrong codes, 4 credits."
    )


def test_a_withdrawn_one_is_told_so():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.cancel(outgoing.answer.verification_id))
    found = told(home, outgoing)
    assert brief(found)[-1] == ("VerificationCancelled", "The verification was withdrawn.", "")
    assert found.outcome == "Cancelled: the account withdrew it. 1 message, 0 wrong codes, 1 credit."


def test_what_is_not_there_has_no_story():
    home = process()
    assert story(memory(home).log(ACCOUNT), verification_id="ver_x", policy=Policy(), now=home.clock.now()) is None


def test_another_verification_of_the_same_number_is_another_story():
    home = process()
    first: Outgoing = home.do(home.send())
    home.clock.advance(seconds=301)
    second: Outgoing = home.do(home.send())
    assert [len(told(home, one).moments) for one in (first, second)] == [3, 2]
    assert told(home, first).moments[-1] == Moment(
        position=0,
        event_id="",
        at=told(home, first).detail.created_at + timedelta(seconds=300),
        type="Expired",
        said="The code's life ended. That is computed; there is no event of it.",
        user_saw="From then on, that the code has expired.",
        limit="A code lives 300 s.",
    )


def test_every_event_of_a_verification_is_part_of_its_story():
    naming = {event for event in TYPES.values() if "verification_id" in event.__struct_fields__}
    assert naming == set(TOLD)


def test_a_message_of_which_nobody_knows_is_told_as_that():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    of = outgoing.answer.verification_id
    home.do(RecordUnconfirmed(ACCOUNT, home.stream(), of, 1, "timeout", "first"))
    moment = told(home, outgoing).moments[-1]
    assert (moment.type, moment.said, moment.user_saw, moment.facts) == (
        "SendUnconfirmed",
        "Message 1 went out, and no answer says whether the provider took it.",
        "Perhaps the message: nobody knows yet.",
        (("Provider", "first"), ("Reason", "timeout")),
    )
