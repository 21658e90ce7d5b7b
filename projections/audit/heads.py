"""The heads of one log, as the global log has them, and how they compare with what is recomputed."""

from array import array
from collections.abc import Sequence

from projections.transparency.entry import Head


class Heads:
    """The heads of one log, as the global log has them: sizes that grow, and a root for each."""

    __slots__ = ("_roots", "sizes")

    def __init__(self) -> None:
        self.sizes = array("Q")
        self._roots = bytearray()

    def add(self, head: Head) -> bool:
        """False, and nothing is added, when the size is not larger than the last."""
        if self.sizes and head.size <= self.sizes[-1]:
            return False
        self.sizes.append(head.size)
        self._roots += head.root
        return True

    def root(self, index: int) -> bytes:
        """The root at `sizes[index]`."""
        return bytes(self._roots[32 * index : 32 * index + 32])


class Watch:
    """Compares roots with a log's heads as they are recomputed; keeps those at the sizes that are wanted."""

    def __init__(self, heads: Heads, *, wanted: set[int]) -> None:
        self.roots: dict[int, bytes] = {}
        self.first_bad: tuple[int, int] | None = None
        """The last size that agreed, and the first that did not."""
        self.sizes: Sequence[int] = sorted({*heads.sizes, *wanted}) if wanted else heads.sizes
        self._heads = heads
        self._wanted = wanted
        self._next = 0
        self._good = 0

    def see(self, size: int, root: bytes) -> None:
        """The root that was recomputed for a size, in ascending order of sizes."""
        if size in self._wanted:
            self.roots[size] = root
        if self._next < len(self._heads.sizes) and self._heads.sizes[self._next] == size:
            if self._heads.root(self._next) == root:
                self._good = size
            elif self.first_bad is None:
                self.first_bad = (self._good, size)
            self._next += 1
