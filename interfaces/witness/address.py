"""How a witness is named in a setting: its vkey, an @, and the address at which it is asked."""

from typing import NamedTuple, Self

from interfaces.fetching import checked_base
from projections.transparency.note import COSIGNATURE, NoteRefused, Verifier


class WitnessAddress(NamedTuple):
    """A witness that is trusted to cosign, and where."""

    verifier: Verifier
    url: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError. No address has an @ in it, so the last one parts the two."""
        vkey, _, url = text.strip().rpartition("@")
        try:
            verifier = Verifier.parse(vkey)
        except NoteRefused:
            raise ValueError("must be <vkey>@<http or https URL>, as `doneotp witness` prints them") from None
        if verifier.type != COSIGNATURE:
            raise ValueError("names a key that is not a witness's")
        return cls(verifier, checked_base(url))
