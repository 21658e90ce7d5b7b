"""Messages as the dispatcher would hand them over."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest

from application.ports import Message
from domain import phone as phones
from domain import text as texts

AT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)


@pytest.fixture
def message() -> Callable[..., Message]:
    """Makes messages, each with an id of its own."""
    ids = count(1)

    def make(to: str = "+14155552671", code: str = "493812", text: str | None = None) -> Message:
        number = next(ids)
        return Message(
            log="acct_abcdefghijklmnop-test",
            stream="s" * 26,
            verification_id="ver_" + "v" * 42,
            send=1,
            message_id=f"msg_{number:024x}",
            to=to,
            mask=phones.parse(to).mask,
            text=texts.compose(code, minutes=5) if text is None else text,
            code=code,
            accepted_at=AT,
            account="acct_abcdefghijklmnop",
        )

    return make
