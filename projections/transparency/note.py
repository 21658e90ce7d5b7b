"""Signed notes, checkpoints and cosignatures: C2SP signed-note, tlog-checkpoint, tlog-cosignature.

The text of a note is worth nothing before `open_note` gave it back, and then as much as the keys one trusts. One spelling is
read: base64 with its padding and no stray bits, numbers without leading zeros, no control character but the newline.
"""

import re
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple, Self

from projections.transparency import ed25519
from projections.transparency.tree import EMPTY_ROOT, HASH_BYTES, SIZE_MAX

NOTE_BYTES_MAX: Final = 1_000_000
SIGNATURES_MAX: Final = 100
KEY_ID_BYTES: Final = 4
ED25519: Final = 0x01  # signature types of C2SP signed-note: Ed25519 over the text,
COSIGNATURE: Final = 0x04  # and Ed25519 over a checkpoint and the time at which a witness had seen it

_DASH: Final = "\N{EM DASH} "
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_STAMP_BYTES: Final = 8

Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, message, signature) to whether it is one, as `ed25519.verify`."""


class NoteRefused(ValueError):
    """Not a note, a checkpoint or a key in its only spelling, or not signed by a key that is trusted."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of a log at one size. `root` is 32 bytes; extensions are lines that no monitor can audit.

    Raises NoteRefused for values that no checkpoint can have.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(line and not _has_controls(line) for line in (self.origin, *self.extensions)):
            raise NoteRefused("a line of a checkpoint is empty or has a control character")
        if not 0 <= self.size <= SIZE_MAX or len(self.root) != HASH_BYTES:
            raise NoteRefused("a checkpoint has a size of at most 2^63 - 1 and a root of 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteRefused("that is not the root of the empty tree")

    def text(self) -> str:
        """What gets signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, base64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteRefused unless this is the text of a checkpoint."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise NoteRefused("a checkpoint has at least three lines and ends with a newline")
        return cls(lines[0], number(lines[1]), decode_base64(lines[2]), tuple(lines[3:-1]))


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that is trusted: its name, its type (ED25519 or COSIGNATURE) and 32 bytes of public key."""

    name: str
    type: int
    public_key: bytes
    verify: Verify = field(default=ed25519.verify, compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.type not in {ED25519, COSIGNATURE} or not ed25519.is_public_key(self.public_key):
            raise NoteRefused("not an Ed25519 key")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that a signature names its key by."""
        material = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return sha256(material).digest()[:KEY_ID_BYTES]

    @classmethod
    def parse(cls, vkey: str, *, verify: Verify = ed25519.verify) -> Self:
        """The verifier of a vkey, which stands on a line by itself; raises NoteRefused."""
        name, _, rest = vkey.partition("+")
        identifier, _, encoded = rest.partition("+")
        material = decode_base64(encoded)
        verifier = cls(name, material[0] if material else 0, material[1:], verify)
        if identifier != verifier.key_id.hex():
            raise NoteRefused("the key id of a vkey is not that of its key")
        return verifier

    def vkey(self) -> str:
        """The line that others trust this key by."""
        return f"{self.name}+{self.key_id.hex()}+{base64(bytes([self.type]) + self.public_key)}"


class Signature(NamedTuple):
    """A signature that holds. `timestamp` is that of a cosignature, in seconds since 1970; None for the log's own."""

    name: str
    key_id: bytes
    timestamp: int | None
    line: str


class Opened(NamedTuple):
    """A text and who, of those that were trusted, signed it: at least one."""

    text: str
    signatures: tuple[Signature, ...]


def vkey(name: str, public_key: bytes) -> str:
    """The verifier key of a log: `<name>+<key id>+<base64>`. Raises NoteRefused for a name or key that cannot be one."""
    return Verifier(name, ED25519, public_key).vkey()


def sign(text: str, *, name: str, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """The note: the text, a blank line, one signature. `sign` gives 64 bytes of Ed25519 for the bytes it is handed."""
    return sign_with(text, [(Verifier(name, ED25519, public_key), sign)])


def sign_with(text: str, keys: Sequence[tuple[Verifier, Callable[[bytes], bytes]]]) -> bytes:
    """As `sign`, by several keys: while one takes over from another, those who trust either of them can open the note."""
    if not text.endswith("\n") or _has_controls(text.replace("\n", "")):
        raise NoteRefused("the text of a note ends with a newline and has no other control character")
    message = text.encode()
    return message + b"\n" + "".join(_line(verifier, sign(message)) for verifier, sign in keys).encode()


def cosign(text: str, *, name: str, public_key: bytes, sign: Callable[[bytes], bytes], timestamp: int) -> str:
    """The signature line, newline included, by which a witness vouches for a checkpoint. Seconds since 1970."""
    Checkpoint.parse(text)
    if not 0 <= timestamp <= SIZE_MAX:
        raise NoteRefused("a cosignature's time is 0 to 2^63 - 1")
    signature = timestamp.to_bytes(_STAMP_BYTES, "big") + sign(_cosigned(text, timestamp))
    return _line(Verifier(name, COSIGNATURE, public_key), signature)


def open_note(note: bytes | str, verifiers: Sequence[Verifier]) -> Opened:
    """The text and the signatures of trusted keys. Raises NoteRefused when there is none, or when one does not hold.

    Signatures of other keys are passed over. Two verifiers of one name and key id are an error of the caller: ValueError.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    if len(known) != len(verifiers):
        raise ValueError("two verifiers have one name and one key id")
    text, lines = _split(note)
    found: dict[tuple[str, bytes], Signature] = {}
    for line in lines:
        name, encoded = _signature(line)
        key_id, signature = encoded[:KEY_ID_BYTES], encoded[KEY_ID_BYTES:]
        verifier = known.get((name, key_id))
        if verifier is None:
            continue
        if (name, key_id) in found:
            raise NoteRefused("a key has signed twice")
        found[name, key_id] = Signature(name, key_id, _checked(verifier, text, signature), line)
    if not found:
        raise NoteRefused("no key that is trusted signed this note")
    return Opened(text, tuple(found.values()))


def open_checkpoint(note: bytes | str, verifiers: Sequence[Verifier], *, origin: str) -> Checkpoint:
    """The checkpoint of the log with this origin. Raises NoteRefused as `open_note` does, and when only witnesses signed it."""
    opened = open_note(note, verifiers)
    if all(signature.timestamp is not None for signature in opened.signatures):
        raise NoteRefused("no key of the log signed this checkpoint")
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin != origin:
        raise NoteRefused("this is the checkpoint of another log")
    return checkpoint


def add_cosignatures(note: bytes, answer: bytes, witnesses: Sequence[Verifier]) -> bytes:
    """The note with those lines of a witness's answer (C2SP tlog-witness) that are cosignatures of these witnesses.

    Lines of others are left out; a line that does not hold, or none that does, is NoteRefused.
    """
    text, lines = _split(note)
    opened = open_note(text.encode() + b"\n" + answer, witnesses)
    if any(not signature.timestamp for signature in opened.signatures):
        raise NoteRefused("a witness signs with the time")
    return note + "".join(f"{line}\n" for _, _, _, line in opened.signatures if line not in lines).encode()


def base64(value: bytes) -> str:
    """RFC 4648 section 4."""
    return b64encode(value).decode()


def decode_base64(text: str) -> bytes:
    """Raises NoteRefused unless this is what `base64` gives for the answer."""
    try:
        value = b64decode(text, validate=True)
    except ValueError:
        raise NoteRefused("not base64") from None
    if base64(value) != text:
        raise NoteRefused("not the only spelling in base64")
    return value


def number(text: str) -> int:
    """Decimal digits to 0 ... 2^63 - 1; raises NoteRefused on any other spelling."""
    if not _NUMBER.fullmatch(text) or int(text) > SIZE_MAX:
        raise NoteRefused("not a number from 0 to 2^63 - 1 without leading zeros")
    return int(text)


def _split(note: bytes | str) -> tuple[str, list[str]]:
    """The text and the signature lines, of which nothing is checked but that no two are the same."""
    try:
        whole = note.encode() if isinstance(note, str) else note
        if len(whole) > NOTE_BYTES_MAX:
            raise NoteRefused(f"a note has at most {NOTE_BYTES_MAX} bytes")
        everything = whole.decode()
    except UnicodeError:
        raise NoteRefused("a note is UTF-8") from None
    text, separator, signatures = everything.rpartition("\n\n")
    lines = signatures.split("\n")
    if not separator or lines.pop() or _has_controls(everything.replace("\n", "")):
        raise NoteRefused("a note is a text, a blank line and signatures, each ending with a newline")
    if not 1 <= len(lines) <= SIGNATURES_MAX or len(lines) != len(set(lines)):
        raise NoteRefused(f"a note has 1 to {SIGNATURES_MAX} signatures, no two the same")
    return text + "\n", lines


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    _check_name(name)
    signature = decode_base64(encoded)
    if not line.startswith(_DASH) or len(signature) <= KEY_ID_BYTES:
        raise NoteRefused("not a signature line")
    return name, signature


def _checked(verifier: Verifier, text: str, signature: bytes) -> int | None:
    timestamp, message = None, text.encode()
    if verifier.type == COSIGNATURE:
        Checkpoint.parse(text)
        timestamp, signature = int.from_bytes(signature[:_STAMP_BYTES], "big"), signature[_STAMP_BYTES:]
        if timestamp > SIZE_MAX:
            raise NoteRefused("a cosignature's time is 0 to 2^63 - 1")
        message = _cosigned(text, timestamp)
    if len(signature) != ed25519.SIGNATURE_BYTES or not verifier.verify(verifier.public_key, message, signature):
        raise NoteRefused("a signature of a key that is trusted does not hold")
    return timestamp


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _line(verifier: Verifier, signature: bytes) -> str:
    return f"{_DASH}{verifier.name} {base64(verifier.key_id + signature)}\n"


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name) or _has_controls(name):
        raise NoteRefused("a key's name is not empty and has no blank, plus or control character")


def _has_controls(text: str) -> bool:
    """Control characters, of ASCII and beyond, and lone surrogates, which UTF-8 cannot say."""
    return not text.isprintable() and any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
