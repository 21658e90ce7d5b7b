"""`explain`: what a message to a number would come to now, rule by rule. Nothing is sent, recorded or counted."""

import argparse
import sys
from typing import Final

import msgspec

from application import listing
from application.explaining import ExplainSend, from_beside, shown
from application.keyring import stream_in
from application.listing import INSTALLATION
from application.scenarios import SCENARIOS, is_scenario
from application.verifications import SendCode
from domain import keys
from domain import phone as phones
from domain.account import Account
from domain.codec import decode
from domain.events import CodeRequested
from domain.lists import NOTHING, Both
from domain.phone import PhoneNumber
from domain.refusals import VerificationNotFound
from domain.rules import Destination, Step
from domain.verification import Caller
from interfaces.bootstrap import Books
from interfaces.cli.administration import open_books
from interfaces.cli.output import Refused, emit
from interfaces.http.reads import records_of
from interfaces.world import SystemEntropy

_ANSWER_SECONDS_MAX: Final = 10.0
_SPELLED_MAX: Final = 100


def run(arguments: argparse.Namespace) -> int:
    """Explain, by a verification's id or for a number that is typed and not in the arguments, where others could read it."""
    if arguments.number == bool(arguments.verification):
        raise Refused("invalid_request", "Name a verification, or give a number on standard input with --number.")
    spelled = sys.stdin.readline(_SPELLED_MAX).strip() if arguments.number else ""
    with open_books() as books:
        account = books.administration.account(arguments.account)
        if arguments.number:
            log = keys.log_of(account.id, mode="test" if arguments.test else "live")
            question = _of_number(books, account, log, phones.parse(spelled))
        else:
            question = _of_verification(books, account, arguments.verification)
        steps = books.writer.submit(question).result(_ANSWER_SECONDS_MAX)
    if question.log == account.id:  # messages of test keys are counted nowhere
        steps = from_beside(steps)
    code = next((step.code for step in steps if step.code), "")
    phone = question.send.phone
    document = {
        "account_id": account.id,
        "log": question.log,
        "outcome": "refused" if code else "sent",
        "code": code,
        "phone_number": phone.mask,
        "country": phone.country,
        "rules": msgspec.to_builtins(steps),
    }
    emit(arguments, document, "\n".join(_lines(phone, code, steps)))
    return 0


def _of_verification(books: Books, account: Account, verification_id: str) -> ExplainSend:
    stream = stream_in(verification_id)
    for log in (keys.log_of(account.id, mode="live"), keys.log_of(account.id, mode="test")):
        records = [] if stream is None else records_of(books.recorder, log, verification_id, stream=stream)
        for event in reversed([decode(record.topic, record.state) for record in records]):
            if stream is not None and isinstance(event, CodeRequested) and event.verification_id == verification_id:
                return _of_recorded(books, account, log, stream, event)
    raise VerificationNotFound


def _of_recorded(books: Books, account: Account, log: str, stream: str, requested: CodeRequested) -> ExplainSend:
    known = (
        one.number for one in SCENARIOS if log != account.id and books.keyring.stream_of(log, one.number) == stream
    )
    number = next(known, None)
    if number is not None:  # it is nobody's, and no secret
        return _of_number(books, account, log, phones.parse(number))
    # A list knows a number by its name in the account, which is that of the live log's stream.
    destination = shown(requested, stream=stream if log == account.id else "", both=_both(books, account))
    return ExplainSend(_send(books, account, log, stream, destination, like=requested), requested)


def _of_number(books: Books, account: Account, log: str, phone: PhoneNumber) -> ExplainSend:
    both = _both(books, account)
    if log != account.id and is_scenario(phone.e164):
        both = (NOTHING, NOTHING)
    listed = listing.listed(books.keyring, account.id, phone, installation=both[1])
    stream = books.keyring.stream_of(log, phone.e164)
    return ExplainSend(_send(books, account, log, stream, Destination(listed, both)))


def _both(books: Books, account: Account) -> Both:
    return account.lists, books.administration.lists(INSTALLATION)


def _send(
    books: Books,
    account: Account,
    log: str,
    stream: str,
    destination: Destination,
    *,
    like: CodeRequested | None = None,
) -> SendCode:
    return SendCode(
        log=log,
        stream=stream,
        phone=destination.listed.phone,
        caller=Caller(),
        keyring=books.keyring,
        entropy=SystemEntropy(),
        holder=account,
        destination=destination,
        locale="" if like is None else like.locale,
        web_origin="" if like is None else like.web_origin,
        app_hash="" if like is None else like.app_hash,
    )


def _lines(phone: PhoneNumber, code: str, steps: list[Step]) -> list[str]:
    untold = [step.rule for step in steps if step.outcome == "untold"]
    but = f", unless {' or '.join(untold)} says otherwise, which cannot be told here" if untold and not code else ""
    lines = [f"{phone.mask}  {phone.country}", f"refused: {code}" if code else f"would be sent{but}", ""]
    width = max(len(step.rule) for step in steps)
    lines += [f"{step.rule:{width}}  {step.code or step.outcome:24}  {step.looked_at}".rstrip() for step in steps]
    return lines
