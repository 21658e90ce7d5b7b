"""What `doctor` says of the seal: that nothing is forked, the sealer keeps up, and what it remembers can be read."""

import time
from typing import Any, Final

import psycopg

from application.keyring import Keyring
from interfaces import sealing, secrets
from interfaces.postgres.database import serving_pid
from interfaces.secrets import SecretUnusable
from interfaces.settings import Settings
from projections.transparency.sealer import Forked, Sealer

BEHIND_SECONDS_MAX: Final = 6.0
"""How long what was recorded may be unsealed while a server runs; it takes a second or two."""
_KEYS: Final = b"SELECT count(*) FROM doneotp.log_keys"
_HEADS: Final = b"SELECT log, position FROM doneotp.heads"
_BEHIND: Final = b"""
SELECT coalesce(sum(w.position - coalesce(t.noted_size, 0)), 0)::bigint
FROM unnest(%b::text[], %b::bigint[]) AS w (log, position)
LEFT JOIN doneotp.trees AS t USING (log) WHERE coalesce(t.noted_size, 0) < w.position"""


def examine(connection: psycopg.Connection[Any], configured: Settings) -> tuple[str, str]:
    """What was found and, where that is a problem, its fix. Changes nothing."""
    execute = sealing.executing(connection)
    path = configured.home / sealing.FILE
    if execute(_KEYS, ()) == [(0,)]:
        return "nothing is sealed yet", ""
    try:
        signer = sealing.LogKeys(Keyring(secrets.root(configured)), execute)
        memory = sealing.FileMemory(path)
        last = memory.last(signer)
    except SecretUnusable as error:
        return str(error), "set DONEOTP_SECRET_KEY to what it was when this database was begun"
    except OSError as error:
        return f"{path}: {error.strerror}", "make the file yours"
    except Forked as error:
        return str(error), "restore the newest copy of the file that you have; without one, read docs/auditors.md"
    try:
        Sealer(connection, memory).examine(signer)
    except Forked as error:
        return (
            f"what is recorded does not continue what was signed: {error}",
            "do not restart anything; compare the database with its backups, and read docs/auditors.md",
        )
    waiting = _waiting(connection, is_served=serving_pid(configured.home) is not None)
    if waiting and serving_pid(configured.home) is not None:
        return f"{waiting} events are not sealed", "read logs/server.log in DONEOTP_HOME for what the sealer says"
    remembered = "nothing is remembered here" if last is None else f"the log over all logs is signed up to {last.size}"
    return f"{remembered}; {waiting} events wait for the next start" if waiting else remembered, ""


def _waiting(connection: psycopg.Connection[Any], *, is_served: bool) -> int:
    """Events recorded by now that are still not sealed; while a server runs, after some time that it may take."""
    execute = sealing.executing(connection)
    rows = execute(_HEADS, ())
    wanted = ([log for log, _ in rows], [position for _, position in rows])
    until = time.monotonic() + (BEHIND_SECONDS_MAX if is_served else 0)
    while (waiting := int(execute(_BEHIND, wanted)[0][0])) and time.monotonic() < until:
        time.sleep(0.1)
    return waiting
