"""Someone who looks at bundles, of a small sound ledger or of what others made of it."""

from pathlib import Path

from projections.audit.bundle import Bundle
from projections.audit.verify import Older, verify
from tests.support.bundles import BundleWriter, Signer, write_bundle
from tests.support.traffic import whole

LOGS = {"acct_first": 700, "acct_second": 300, "acct_second-test": 40}


class Desk:
    """Where bundles are made; `logs` is the sound ledger."""

    def __init__(self, room: Path) -> None:
        self.room = room
        self.logs = {log: list(whole(log, events=events)) for log, events in LOGS.items()}
        self._made = 0

    def bundle(
        self, logs: dict[str, list[bytes]] | None = None, *, signer: Signer | None = None, seals: int = 4
    ) -> BundleWriter:
        """A bundle of these logs, or of the sound ones."""
        self._made += 1
        directory = self.room / f"bundle-{self._made}"
        return write_bundle(directory, self.logs if logs is None else logs, signer=signer, seals=seals)


def names(directory: Path, *, older: bytes | None = None, vkeys: bytes | None = None) -> list[str]:
    """The findings about a bundle, as `name` or `name log position`."""
    kept = [] if older is None else [Older("kept", older)]
    findings = verify(Bundle(directory), older=kept, vkeys=vkeys).findings
    return [" ".join([found.name, found.log, str(found.position or "")]).strip() for found in findings]
