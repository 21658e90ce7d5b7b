"""`verifications`: show one, as a story that answers "why?"."""

import argparse

import msgspec

from application.accounts import ReadBalance
from application.story import Moment, Story
from domain import keys
from domain.refusals import VerificationNotFound
from interfaces import stories
from interfaces.bootstrap import Books
from interfaces.cli.administration import open_books
from interfaces.cli.output import emit

_ANSWER_SECONDS_MAX = 10.0


def show(arguments: argparse.Namespace) -> int:
    """Show a verification of a live or a test key: each event, what the user saw, and which limit ended what."""
    with open_books() as books:
        found = _read(books, arguments.account, arguments.verification)
    emit(arguments, msgspec.to_builtins(found), "\n".join(_lines(found)))
    return 0


def _read(books: Books, account: str, verification_id: str) -> Story:
    policy = books.administration.account(account).policy
    for log in (keys.log_of(account, mode="live"), keys.log_of(account, mode="test")):
        at = books.writer.submit(ReadBalance(log)).result(_ANSWER_SECONDS_MAX).at
        assert at is not None, "a balance of now has its moment"
        found = stories.read(books.recorder, log, verification_id, policy=policy, now=at)
        if found is not None:
            return found
    raise VerificationNotFound


def _lines(found: Story) -> list[str]:
    detail = found.detail
    lines = [f"{detail.verification_id}  {detail.phone_number}  {detail.country}", found.outcome, ""]
    for moment in found.moments:
        lines += _moment(moment)
    return lines


def _moment(moment: Moment) -> list[str]:
    place = str(moment.position or "-")
    indent = " " * 9
    lines = [f"{place:>7}  {moment.at:%Y-%m-%d %H:%M:%S}  {moment.said}", f"{indent}The user saw: {moment.user_saw}"]
    lines += [f"{indent}Limit: {moment.limit}"] if moment.limit else []
    if moment.facts:
        lines.append(indent + ", ".join(f"{name} {value}" for name, value in moment.facts))
    return lines
