"""A memory with a bound: what was put in last is found again, what is older may be gone. Who needs it looks again."""

from typing import Final, Generic, TypeVar

Kept = TypeVar("Kept")
KEPT_MAX: Final = 50_000
"""Values of one generation; twice as many may be held."""


class Recent(Generic[Kept]):
    """Two generations: when the young one is full, the old one is forgotten. `kept_max` 0 forgets nothing."""

    __slots__ = ("_kept_max", "_old", "_young")

    def __init__(self, *, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._young: dict[str, Kept] = {}
        self._old: dict[str, Kept] = {}

    def get(self, name: str) -> Kept | None:
        """What was put under this name, if it is not too long ago."""
        found = self._young.get(name)
        return self._old.get(name) if found is None else found

    def put(self, name: str, value: Kept) -> None:
        """Remember it."""
        self._young[name] = value
        if len(self._young) == self._kept_max:
            self._old, self._young = self._young, {}
