"""Passwords: Argon2id with the second recommended parameters of RFC 9106 (64 MiB, 3 passes), on a thread of its own.

One at a time in a process, and few may wait: a flood of sign-ins costs neither the API's memory nor its threads.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from domain.refusals import InvalidRequest, ServiceUnavailable

LENGTH_MIN: Final = 12
LENGTH_MAX: Final = 256
WAITING_MAX: Final = 8
_HASHER: Final = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
# Made up, of no password: as much work as a real one.
_NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$ZG9uZW90cC1ub2JvZHkuLg$MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA"
_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="doneotp-password")


class Passwords:
    """Checks passwords, for one process."""

    def __init__(self) -> None:
        self._waiting = 0

    async def fits(self, password_hash: str, password: str) -> bool:
        """Whether it is the password. The same work where there is none, so that time does not tell who exists."""
        if self._waiting >= WAITING_MAX:
            raise ServiceUnavailable("Too many are signing in at this moment.", retry_after_seconds=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(_THREAD, fits, password_hash, password)
        finally:
            self._waiting -= 1


def fits(password_hash: str, password: str) -> bool:
    """The same, on this thread."""
    try:
        _HASHER.verify(password_hash or _NOBODYS, password[:LENGTH_MAX])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash != ""


def hashed(password: str) -> str:
    """Its hash; raises InvalidRequest for one that is too short or too long."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise InvalidRequest(f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters.")
    return _HASHER.hash(password)
