"""Who may use the dashboard, and which accounts they see: rows of tables, not facts of an account's ledger."""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, get_args

from domain.refusals import InvalidRequest, StateConflict
from interfaces.postgres.connection import Lines

Role = Literal["operator", "biller", "auditor"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""An operator does everything, a biller credits and statements, an auditor reads everything and changes nothing."""
OPERATORS_MAX: Final = 1_000
MEMBERSHIPS_MAX: Final = 1_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_ADD: Final = b"""
INSERT INTO doneotp.operators (name, role, password) SELECT %s, %s, ''
WHERE (SELECT count(*) FROM doneotp.operators) < %s ON CONFLICT DO NOTHING RETURNING name"""
_ONE: Final = b"""
SELECT o.name, o.role, o.password, o.totp, m.account_id, m.role
FROM doneotp.operators AS o LEFT JOIN doneotp.memberships AS m USING (name) WHERE o.name = %s ORDER BY m.account_id"""
_ALL: Final = b"""
SELECT o.name, o.role, o.password, o.totp, m.account_id, m.role
FROM doneotp.operators AS o LEFT JOIN doneotp.memberships AS m USING (name) ORDER BY o.name, m.account_id"""
_JOIN: Final = b"""
INSERT INTO doneotp.memberships (name, account_id, role) SELECT o.name, %s, %s FROM doneotp.operators AS o WHERE o.name = %s
AND (SELECT count(*) FROM doneotp.memberships AS m WHERE m.name = o.name) < %s
ON CONFLICT (name, account_id) DO UPDATE SET role = excluded.role RETURNING name"""
_ROLE: Final = b"UPDATE doneotp.operators SET role = %s WHERE name = %s RETURNING name"
_ROLE_IN: Final = b"UPDATE doneotp.memberships SET role = %s WHERE name = %s AND account_id = %s RETURNING name"
_LEAVE: Final = b"DELETE FROM doneotp.memberships WHERE name = %s AND account_id = %s RETURNING name"
_REMOVE: Final = b"DELETE FROM doneotp.operators WHERE name = %s RETURNING name"
# Whoever changes a password ends every session and link that were begun under the old one.
_PASSWORD: Final = b"""
WITH changed AS (UPDATE doneotp.operators SET password = %s WHERE name = %s RETURNING name),
    sessions AS (DELETE FROM doneotp.operator_sessions WHERE name IN (SELECT name FROM changed)),
    tickets AS (DELETE FROM doneotp.login_tickets WHERE name IN (SELECT name FROM changed))
SELECT name FROM changed"""
_TOTP: Final = b"UPDATE doneotp.operators SET totp = %s, totp_step = %s WHERE name = %s RETURNING name"
_STEP: Final = b"UPDATE doneotp.operators SET totp_step = %s WHERE name = %s AND totp_step < %s RETURNING name"


class Operator(NamedTuple):
    """One of them. `role` is that for the whole installation, or empty."""

    name: str
    role: str
    password: str
    totp: bytes | None
    memberships: dict[str, Role]

    def role_in(self, account_id: str) -> str:
        """The role in an account; empty for somebody who must not know that there is one."""
        return self.role or self.memberships.get(account_id, "")

    def __repr__(self) -> str:
        """Without what must not get into a log."""
        return f"Operator(name={self.name!r})"


class Operators:
    """The tables. Every method waits for the database; raises PersistenceError when it does not answer."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def add(self, name: str, *, role: str) -> None:
        """One more, without a password yet. Raises StateConflict when there is one of this name."""
        if not _NAME.fullmatch(name):
            raise InvalidRequest("A name is 1 to 40 of a-z, 0-9, dot, dash and underscore, a letter or digit first.")
        if role and role not in ROLES:
            raise InvalidRequest(f"The role must be one of {', '.join(ROLES)}.")
        if not self._lines.execute(_ADD, (name, role, OPERATORS_MAX)):
            raise StateConflict("There is an operator of this name, or there are too many.")

    def find(self, name: str) -> Operator | None:
        """One by name."""
        return next(iter(_operators(self._lines.execute(_ONE, (name,)))), None)

    def all(self) -> list[Operator]:
        """All, by name."""
        return _operators(self._lines.execute(_ALL))

    def remove(self, name: str) -> bool:
        """End an operator with all sessions; False when there was none."""
        return bool(self._lines.execute(_REMOVE, (name,)))

    def join(self, name: str, account_id: str, *, role: str) -> None:
        """Let an operator see an account, in a role."""
        if role not in ROLES:
            raise InvalidRequest(f"The role must be one of {', '.join(ROLES)}.")
        if not self._lines.execute(_JOIN, (account_id, role, name, MEMBERSHIPS_MAX)):
            raise StateConflict("There is no operator of this name, or one of too many accounts.")

    def leave(self, name: str, account_id: str) -> bool:
        """No more; False when it was not so."""
        return bool(self._lines.execute(_LEAVE, (name, account_id)))

    def set_role(self, name: str, role: str, *, account_id: str = "") -> bool:
        """Another role, in everything or in an account that the operator is a member of; False when that is not so."""
        if role not in ROLES:
            raise InvalidRequest(f"The role must be one of {', '.join(ROLES)}.")
        if account_id:
            return bool(self._lines.execute(_ROLE_IN, (role, name, account_id)))
        return bool(self._lines.execute(_ROLE, (role, name)))

    def set_password(self, name: str, password_hash: str) -> bool:
        """Another password, which ends all sessions; False when there is no such operator."""
        return bool(self._lines.execute(_PASSWORD, (password_hash, name)))

    def set_totp(self, name: str, sealed: bytes | None, *, step: int = 0) -> bool:
        """A second factor, whose code of `step` is used, or none."""
        return bool(self._lines.execute(_TOTP, (sealed, step, name)))

    def use_step(self, name: str, step: int) -> bool:
        """Use the code of a step; False when it, or a later one, was used."""
        return bool(self._lines.execute(_STEP, (step, name, step)))


def _operators(rows: Sequence[tuple[object, ...]]) -> list[Operator]:
    found: dict[str, Operator] = {}
    for name, role, password, totp, account_id, member_role in rows:
        one = found.setdefault(str(name), Operator(str(name), str(role), str(password), totp, {}))  # type: ignore[arg-type]
        if account_id is not None:
            one.memberships[str(account_id)] = member_role  # type: ignore[assignment]
    return list(found.values())
