"""What the public API must answer, as strictly as a load generator can afford to check it."""

from typing import Final, Literal

import msgspec

from interfaces.bench.job import Cursor

OK: Final = 200


class Sent(msgspec.Struct):
    """Answer of `send`."""

    status: Literal["pending"]
    verification_id: str
    expires_in: int
    resend_in: int


class Checked(msgspec.Struct):
    """Answer of `check`."""

    status: Literal["verified"]
    token: str


class Validated(msgspec.Struct):
    """Answer of `validate-token`."""

    valid: Literal[True]
    phone_number: str


class Message(msgspec.Struct):
    """What is wanted of a message in the inbox."""

    to: str
    code: str


class Messages(msgspec.Struct):
    """A page of the inbox."""

    messages: list[Message]
    cursor: Cursor


class Problem(msgspec.Struct):
    """What is wanted of a problem document."""

    code: str = ""


SENT: Final = msgspec.json.Decoder(Sent)
CHECKED: Final = msgspec.json.Decoder(Checked)
VALIDATED: Final = msgspec.json.Decoder(Validated)
MESSAGES: Final = msgspec.json.Decoder(Messages)


def problem_code(status: int, body: bytes) -> str:
    """The `code` of a problem document, or else the status."""
    try:
        return msgspec.json.decode(body, type=Problem).code or str(status)
    except msgspec.MsgspecError:
        return str(status)
