"""Whether a database was begun under this root secret: under another, no number and no key would be found again."""

from typing import Any, Final

from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.secrets import SecretUnusable

_REMEMBER: Final = b"INSERT INTO doneotp.root_secret (fingerprint) VALUES (%b) ON CONFLICT DO NOTHING"
_REMEMBERED: Final = b"SELECT fingerprint FROM doneotp.root_secret"


def require(recorder: PostgresLogRecorder, fingerprint: bytes) -> None:
    """Remember the fingerprint in a new database; raises SecretUnusable where another is remembered."""
    rows: list[tuple[Any, ...]] = recorder.execute(_REMEMBERED)
    if not rows:
        recorder.execute(_REMEMBER, (fingerprint,))
        rows = recorder.execute(_REMEMBERED)
    if rows != [(fingerprint,)]:
        raise SecretUnusable(
            "the database was begun under another secret key; set DONEOTP_SECRET_KEY to what it was then, "
            "or give this one a database of its own"
        )
