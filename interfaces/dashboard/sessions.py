"""Sessions and links: random tokens that a browser shows, of which the database has only the hashes."""

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Final

from interfaces.postgres.connection import Lines

IDLE: Final = timedelta(hours=1)
LIFETIME: Final = timedelta(hours=12)
TICKET_LIFETIME: Final = timedelta(minutes=15)
TICKETS_MAX: Final = 10
"""Links of one operator that may wait at once; the oldest goes."""
SESSIONS_MAX: Final = 20
"""Sessions of one operator at once; the one that was idle longest goes."""
_SEEN_EVERY: Final = timedelta(minutes=1)
_BEGIN: Final = b"""
WITH old AS (DELETE FROM doneotp.operator_sessions WHERE name = %s AND (seen_at < now() - %s::interval
    OR token_sha256 IN (SELECT token_sha256 FROM doneotp.operator_sessions WHERE name = %s ORDER BY seen_at DESC OFFSET %s)))
INSERT INTO doneotp.operator_sessions (token_sha256, name, begun_at, seen_at) VALUES (%s, %s, now(), now())"""
_FIND: Final = b"""
SELECT name, seen_at < now() - %s::interval FROM doneotp.operator_sessions
WHERE token_sha256 = %s AND seen_at > now() - %s::interval AND begun_at > now() - %s::interval"""
_SEEN: Final = b"UPDATE doneotp.operator_sessions SET seen_at = now() WHERE token_sha256 = %s"
_END: Final = b"DELETE FROM doneotp.operator_sessions WHERE token_sha256 = %s"
_TICKET: Final = b"""
WITH old AS (DELETE FROM doneotp.login_tickets WHERE name = %s AND (expires_at < now() OR ticket_sha256 IN (
    SELECT ticket_sha256 FROM doneotp.login_tickets WHERE name = %s ORDER BY expires_at DESC OFFSET %s)))
INSERT INTO doneotp.login_tickets (ticket_sha256, name, expires_at) VALUES (%s, %s, now() + %s::interval)"""
_REDEEM: Final = b"DELETE FROM doneotp.login_tickets WHERE ticket_sha256 = %s RETURNING name, expires_at > now()"


class Sessions:
    """The tables. Every method waits for the database."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def begin(self, name: str) -> str:
        """A new session's token: always a new one, whatever the browser showed before."""
        token = secrets.token_urlsafe(32)
        self._lines.execute(_BEGIN, (name, _seconds(IDLE), name, SESSIONS_MAX - 1, _hash(token), name))
        return token

    def find(self, token: str) -> str:
        """Whose session it is; empty for one that is over or never was. It counts as being used."""
        rows = self._lines.execute(_FIND, (_seconds(_SEEN_EVERY), _hash(token), _seconds(IDLE), _seconds(LIFETIME)))
        if not rows:
            return ""
        ((name, is_stale),) = rows
        if is_stale:
            self._lines.execute(_SEEN, (_hash(token),))
        return str(name)

    def end(self, token: str) -> None:
        """Over."""
        self._lines.execute(_END, (_hash(token),))

    def ticket(self, name: str) -> str:
        """A link's secret part, for one sign-in within TICKET_LIFETIME."""
        ticket = secrets.token_urlsafe(32)
        self._lines.execute(_TICKET, (name, name, TICKETS_MAX - 1, _hash(ticket), name, _seconds(TICKET_LIFETIME)))
        return ticket

    def redeem(self, ticket: str) -> str:
        """Whose link it is, which ends with that; empty for one that was used, is too old or never was."""
        rows = self._lines.execute(_REDEEM, (_hash(ticket),))
        return str(rows[0][0]) if rows and rows[0][1] else ""


def csrf(token: str) -> str:
    """What every form of a session carries: it follows from the token and does not give it away."""
    return hmac.digest(token.encode(), b"doneotp/dashboard/csrf", "sha256").hex()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _seconds(span: timedelta) -> str:
    return f"{int(span.total_seconds())} seconds"
