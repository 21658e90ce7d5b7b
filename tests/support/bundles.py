"""Writes bundles as the exporter lays them out: from events, or from entries that an adversary has had in hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.codec import encode
from domain.events import TOPICS, TYPES, Event
from projections import schemas
from projections.transparency import note, tiles, tree
from projections.transparency.entry import encode as encode_entry
from projections.transparency.entry import encode_head
from projections.transparency.proof import TlogProof

ORIGIN = "ledger.example/log"


@dataclass(frozen=True)
class Signer:
    """A key of a log. The seed decides it, so that bundles are the same each time."""

    seed: int = 1
    origin: str = ORIGIN

    @property
    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(b"signer %d" % self.seed).digest())

    @property
    def vkey(self) -> bytes:
        return note.vkey(self.origin, self._public()).encode() + b"\n"

    def sign(self, log: str, size: int, root: bytes) -> bytes:
        """A checkpoint of a log, '' for the global one."""
        text = note.Checkpoint(f"{self.origin}/{log}" if log else self.origin, size, root).text()
        return note.sign(text, name=self.origin, public_key=self._public(), sign=self.key.sign)

    def _public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()


@dataclass
class Log:
    """A log as it grows: positions, versions and event ids as the ledger gives them."""

    name: str
    entries: list[bytes] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    position: int = 0

    def add(self, *events: tuple[str, Event]) -> "Log":
        """Events with their streams."""
        self.entries += [self.entry(stream, event) for stream, event in events]
        return self

    def entry(self, stream: str, event: Event) -> bytes:
        self.position += 1
        self.versions[stream] = self.versions.get(stream, 0) + 1
        return entry(
            self.name, self.position, stream, self.versions[stream], topic=TOPICS[type(event)], body=encode(event)
        )


def entry(log: str, position: int, stream: str, version: int, *, topic: str, body: bytes) -> bytes:
    """The entry of an event whose id is a function of its place."""
    raw = bytearray(position.to_bytes(6, "big") + sha256(f"{log} {position}".encode()).digest()[:10])
    raw[6], raw[8] = 0x80 | raw[6] & 0x0F, 0x80 | raw[8] & 0x3F
    return encode_entry(log, position, stream, version, bytes(raw), topic, body)


class TreeWriter:
    """Grows a tree on disk. In memory is what is not a full tile yet."""

    def __init__(self, directory: Path) -> None:
        self.size = 0
        self.root = tree.EMPTY_ROOT
        self._directory = directory
        self._partial: dict[tuple[int, int], bytes] = {}
        self._waiting: list[bytes] = []

    def append(self, entries: Sequence[bytes]) -> None:
        changed, self.root = tree.extend(self.read, self.size, [tree.leaf_hash(entry) for entry in entries])
        first = self.size - len(self._waiting)
        self.size += len(entries)
        self._waiting += entries
        while len(self._waiting) >= tiles.TILE_WIDTH:
            self._write(tiles.entries_path(first // tiles.TILE_WIDTH), tiles.encode_bundle(self._waiting[:256]))
            del self._waiting[:256]
            first += 256
        for (level, index), hashes in changed.items():
            if len(hashes) == 32 * tiles.TILE_WIDTH:
                self._partial.pop((level, index), None)
                self._write(tiles.tile_path(level, index), hashes)
            else:
                self._partial[level, index] = hashes

    def close(self) -> None:
        """Write what is partial."""
        for (level, index), hashes in self._partial.items():
            self._write(tiles.tile_path(level, index, len(hashes) // 32), hashes)
        if self._waiting:
            path = tiles.entries_path(self.size // tiles.TILE_WIDTH, len(self._waiting))
            self._write(path, tiles.encode_bundle(self._waiting))

    def read(self, level: int, index: int) -> bytes:
        if (level, index) in self._partial:
            return self._partial[level, index]
        try:
            return (self._directory / tiles.tile_path(level, index)).read_bytes()
        except FileNotFoundError:
            raise LookupError from None

    def _write(self, path: str, content: bytes) -> None:
        target = self._directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


class BundleWriter:
    """Appends to logs, seals, closes. `signer` may be another one from time to time."""

    def __init__(self, directory: Path, *, signer: Signer | None = None) -> None:
        self.directory = directory
        self.signer = signer or Signer()
        self.total = TreeWriter(directory)
        self.trees: dict[str, TreeWriter] = {}
        self._sealed: dict[str, int] = {}
        self._heads: dict[str, tuple[int, bytes]] = {}

    def append(self, log: str, entries: Sequence[bytes]) -> None:
        if log not in self.trees:
            self.trees[log] = TreeWriter(self.directory / "accounts" / log)
        self.trees[log].append(entries)

    def seal(self) -> bytes:
        """A head in the global log for each log that grew, and the checkpoint of it."""
        grown = [log for log, grower in self.trees.items() if grower.size > self._sealed.get(log, 0)]
        heads = [encode_head(log, self.trees[log].size, self.trees[log].root) for log in grown]
        for number, log in enumerate(grown):
            self._sealed[log] = self.trees[log].size
            self._heads[log] = (self.total.size + number, heads[number])
        if heads:
            self.total.append(heads)
        return self.checkpoint()

    def checkpoint(self) -> bytes:
        return self.signer.sign("", self.total.size, self.total.root)

    def close(self) -> None:
        """Seal what is not sealed and write everything that is not written."""
        checkpoint = self.seal()
        for log, grower in self.trees.items():
            grower.close()
            signed = self.signer.sign(log, grower.size, grower.root)
            (self.directory / "accounts" / log / "checkpoint").write_bytes(signed)
        self.total.close()
        self.directory.mkdir(exist_ok=True)
        (self.directory / "checkpoint").write_bytes(checkpoint)
        (self.directory / "vkey").write_bytes(self.signer.vkey)
        (self.directory / "schemas").mkdir(exist_ok=True)
        for type_ in TYPES:
            (self.directory / "schemas" / f"{type_}.json").write_bytes(schemas.document(type_))

    def head_proof(self, log: str) -> bytes:
        """The `head` of a bundle of one account."""
        index, _ = self._heads[log]
        path = tree.inclusion(self.total.read, index, self.total.size)
        return TlogProof(index, tuple(path), self.checkpoint()).text()


def write_bundle(
    directory: Path, logs: Mapping[str, Sequence[bytes]], *, signer: Signer | None = None, seals: int = 2
) -> BundleWriter:
    """A whole bundle of these entries, sealed `seals` times in equal steps."""
    writer = BundleWriter(directory, signer=signer)
    for step in range(seals):
        for log, entries in logs.items():
            part = entries[len(entries) * step // seals : len(entries) * (step + 1) // seals]
            if part:
                writer.append(log, part)
        writer.seal()
    writer.close()
    return writer


def write_account_bundle(directory: Path, writer: BundleWriter, log: str) -> Path:
    """What the export of one account leaves of a whole bundle that was just written."""
    import shutil

    proof = writer.head_proof(log)
    shutil.copytree(writer.directory, directory, ignore=lambda _, names: [])
    shutil.rmtree(directory / "tile")
    for other in (directory / "accounts").iterdir():
        if other.name != log:
            shutil.rmtree(other)
    (directory / "accounts" / log / "head").write_bytes(proof)
    return directory


def files_of(directory: Path) -> list[Path]:
    """Every file of a bundle, in order."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


def changed(entries: Sequence[bytes], index: int, old: bytes, new: bytes) -> list[bytes]:
    """The entries with other bytes in one of them, which must be there."""
    assert old in entries[index]
    return [*entries[:index], entries[index].replace(old, new), *entries[index + 1 :]]


def chunks(entries: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Lists of at most `size`."""
    part: list[bytes] = []
    for one in entries:
        part.append(one)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
