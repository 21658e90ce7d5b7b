"""`verify`: signatures, both kinds of trees, heads, older checkpoints and the ledger's invariants of one bundle.

Trusted are the keys the auditor was given (else those in the bundle) and the checkpoints the auditor kept. Everything else is
recomputed from `tile/entries`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from projections.audit.bundle import NOTE_BYTES_MAX, Bundle, TreeFiles
from projections.audit.contents import stray
from projections.audit.findings import Finding, Findings, Found
from projections.audit.heads import Heads, Watch
from projections.audit.invariants import LogInvariants
from projections.audit.recompute import Recomputed
from projections.audit.seals import Keys, Signed, check_head_proof, read_checkpoint, read_older
from projections.audit.statements import roots
from projections.transparency.entry import Entry, MalformedEntry, decode, decode_head
from projections.transparency.note import Checkpoint
from projections.transparency.tiles import TILE_WIDTH, tile_path, width_at

Progress = Callable[[int, int], None]
"""Takes events done and events there are."""


@dataclass(frozen=True, slots=True)
class Older:
    """A checkpoint that the auditor kept, and the name of the file it came from."""

    file: str
    note: bytes


@dataclass(slots=True)
class Verdict:
    """What a verification came to. Without findings, the bundle is sound."""

    findings: list[Finding] = field(default_factory=list)
    logs: int = 0
    events: int = 0
    checkpoint: Checkpoint | None = None

    @property
    def ok(self) -> bool:
        return not self.findings

    def document(self) -> dict[str, Any]:
        """For `--json`. `root` is in hex."""
        sealed = self.checkpoint
        return {
            "ok": self.ok,
            "checkpoint": sealed and {"origin": sealed.origin, "size": sealed.size, "root": sealed.root.hex()},
            "logs": self.logs,
            "events": self.events,
            "findings": [finding.document() for finding in self.findings],
        }


def verify(
    bundle: Bundle, *, vkeys: bytes | None = None, older: Sequence[Older] = (), progress: Progress = lambda _, __: None
) -> Verdict:
    """Check everything. Never raises for what is in the bundle."""
    return _Audit(bundle, progress).run(vkeys, older)


class _Audit:
    def __init__(self, bundle: Bundle, progress: Progress) -> None:
        self.bundle = bundle
        self.progress = progress
        self.findings = Findings()
        self.report = self.findings.add
        self.heads: dict[str, Heads] = {}
        self.sizes: dict[str, int | None] = {}
        self.types: set[str] = set()
        self.done = 0
        self.total = 0

    def run(self, vkeys: bytes | None, older: Sequence[Older]) -> Verdict:
        keys = self._keys(vkeys)
        signed, findings = read_checkpoint(self.bundle, "checkpoint", keys, log="")
        self._add(findings)
        logs = self.bundle.logs()
        is_whole = self.bundle.has("tile") or not any(self.bundle.has(f"accounts/{log}/head") for log in logs)
        kept = self._older(older, keys) if keys is not None else []
        if is_whole:
            self._verify_global(signed, [sealed for log, _, sealed in kept if not log])
            self._add(_missing(log) for log in self.heads if log not in logs)
        else:
            self._compare_global_only(signed, kept)
        checkpoints = {log: self._account_checkpoint(log, keys, signed, is_whole=is_whole) for log in logs}
        self.total = sum(self.sizes[log] or 0 for log in logs)
        for log in logs:
            self._verify_account(log, checkpoints[log], kept)
        self._add(
            Finding("log-missing", f"{file} is about {log}, which is not in this bundle.", log, 0, file)
            for log, file, _ in kept
            if log and log not in logs
        )
        self._add(stray(self.bundle, self.sizes, types=self.types, is_whole=is_whole))
        return Verdict(self.findings.all, len(logs), self.done, signed.checkpoint if signed is not None else None)

    def _keys(self, vkeys: bytes | None) -> Keys | None:
        """The auditor's keys, else the bundle's. Either way the bundle has to name a key that is trusted."""
        try:
            trusted = None if vkeys is None else Keys.parse(vkeys, file="the file given with --vkey")
        except Found as found:
            self.report(found.finding)
            return None
        try:
            own = Keys.parse(self.bundle.read("vkey", bytes_max=NOTE_BYTES_MAX), file="vkey")
        except Found as found:
            self.report(found.finding)
            return trusted
        if trusted is not None and not {*own.verifiers} & {*trusted.verifiers}:
            sentence = "vkey holds none of the keys given with --vkey."
            self.report(Finding("vkey-differs", sentence, file="vkey"))
        return trusted or own

    def _older(self, older: Sequence[Older], keys: Keys) -> list[tuple[str, str, Checkpoint]]:
        kept = []
        for one in older:
            try:
                log, checkpoint = read_older(one.note, keys, file=one.file)
                kept.append((log, one.file, checkpoint))
            except Found as found:
                self.report(found.finding)
        return kept

    # The global log.

    def _verify_global(self, signed: Signed | None, kept: Sequence[Checkpoint]) -> None:
        if signed is None:
            return
        size, files = signed.checkpoint.size, TreeFiles(self.bundle, "")
        self.sizes[""] = size
        roots: dict[int, bytes] = {}
        sizes = sorted({one.size for one in kept if one.size <= size})
        walk = Recomputed(files, size, sizes=sizes, sealed=roots.__setitem__, report=self.report)
        for first, entries in walk.bundles():
            for leaf, entry in enumerate(entries, first):
                self._take_head(leaf, entry)
        self._judge(files, walk, signed.checkpoint)
        for one in kept:
            self._compare_older(one, roots, size, log="")

    def _take_head(self, leaf: int, entry: bytes) -> None:
        try:
            head = decode_head(entry)
        except MalformedEntry:
            self.report(Finding("head-malformed", f"Leaf {leaf} of the global log is not the head of a log."))
            return
        if not self.heads.setdefault(head.log, Heads()).add(head):
            sentence = f"Leaf {leaf} of the global log is a head that is not larger than the one before it."
            self.report(Finding("heads-grow", sentence, head.log, head.size))

    def _compare_global_only(self, signed: Signed | None, kept: Sequence[tuple[str, str, Checkpoint]]) -> None:
        """A bundle of one account has no global tree: an older global checkpoint can only be the very same."""
        for log, file, checkpoint in kept:
            if log or signed is None or checkpoint == signed.checkpoint:
                continue
            if checkpoint.size > signed.checkpoint.size:
                self.report(_shorter("", signed.checkpoint.size, checkpoint.size))
            elif checkpoint.size == signed.checkpoint.size:
                self.report(_disagrees("", checkpoint.size))
            else:
                sentence = "A bundle of one account can be compared with older checkpoints of that account only."
                self.report(Finding("older-checkpoint-not-comparable", sentence, file=file))

    # One account.

    def _account_checkpoint(
        self, log: str, keys: Keys | None, signed: Signed | None, *, is_whole: bool
    ) -> Checkpoint | None:
        """What the account's tree has to be: the last head in the global log, else the account's own checkpoint."""
        path = f"accounts/{log}/checkpoint"
        own, findings = read_checkpoint(self.bundle, path, keys, log=log)
        self._add(findings)
        checkpoint = own.checkpoint if own is not None else None
        heads = self.heads.get(log)
        if heads is not None:
            origin = keys.origin_of(log) if keys is not None else log
            sealed = Checkpoint(origin, heads.sizes[-1], heads.root(-1 + len(heads.sizes)))
            if checkpoint is not None and (checkpoint.size, checkpoint.root) != (sealed.size, sealed.root):
                sentence = f"{path} is not the last head that the global log has of it, at size {sealed.size}."
                self.report(Finding("account-checkpoint-differs", sentence, log, 0, path))
            checkpoint = sealed
        elif is_whole:
            sentence = f"{log} is in the bundle, but the global log has no head of it."
            self.report(Finding("log-not-sealed", sentence, log))
        elif checkpoint is not None and keys is not None and signed is not None:
            self._add(check_head_proof(self.bundle, log, keys, account=checkpoint, checkpoint=signed.note))
        self.sizes[log] = checkpoint.size if checkpoint is not None else None
        return checkpoint

    def _verify_account(
        self, log: str, checkpoint: Checkpoint | None, kept: Sequence[tuple[str, str, Checkpoint]]
    ) -> None:
        if checkpoint is None:
            return
        files = TreeFiles(self.bundle, log)
        older = [one for name, _, one in kept if name == log]
        wanted = {one.size for one in older if one.size <= checkpoint.size}
        watch = Watch(self.heads.get(log) or Heads(), wanted=wanted)
        walk = Recomputed(files, checkpoint.size, sizes=watch.sizes, sealed=watch.see, report=self.report)
        self._check_entries(files, walk)
        bad = watch.first_bad
        if bad is not None and (walk.changed is None or bad[1] <= walk.changed):
            sentence = f"Positions {bad[0] + 1} to {bad[1]} are not what was sealed: the head of size {bad[1]} differs."
            self.report(Finding("head-disagrees", sentence, log, bad[0] + 1))
        else:
            self._judge(files, walk, checkpoint)
        for one in older:
            self._compare_older(one, watch.roots, checkpoint.size, log=log)

    def _check_entries(self, files: TreeFiles, walk: Recomputed) -> None:
        """Walk an account's tree and see every entry through the invariants, as far as entries can be read."""
        log, readable = files.log, True
        invariants = LogInvariants(log, self.report, root_of=roots(files, walk.size))
        see = invariants.see
        for first, entries in walk.bundles():
            if readable:
                place = first
                try:
                    for raw in entries:
                        place += 1
                        entry = decode(raw)
                        see(place, entry)
                except MalformedEntry as refused:
                    readable = False
                    sentence = f"The entry is malformed: {refused}. Invariants are not checked from here on."
                    self.report(Finding("entry-malformed", sentence, log, place))
            self.done += len(entries)
            self.progress(self.done, self.total)
        if readable and walk.complete:
            try:
                invariants.finish(lambda: _again(files, walk.size))
            except Found as found:  # a hash tile that statements need
                self.report(found.finding._replace(log=log))
        self.types |= invariants.types

    # Both kinds of trees.

    def _judge(self, files: TreeFiles, walk: Recomputed, sealed: Checkpoint) -> None:
        """Name what is wrong when entries, hash tiles and the signed root do not agree."""
        log, leaf = files.log, walk.changed
        if leaf is not None and walk.complete and walk.root == sealed.root:
            index = leaf // TILE_WIDTH
            path = files.prefix + tile_path(0, index, width_at(0, index, sealed.size))
            sentence = f"{path} is damaged; the entries are those that were sealed."
            self.report(Finding("tile-damaged", sentence, log, 0, path))
        elif leaf is not None:
            what = f"The entry at position {leaf + 1}" if log else f"Leaf {leaf} of the global log"
            sentence = f"{what} is not the one whose hash its tile holds: it was changed."
            self.report(Finding("entry-changed", sentence, log, leaf + 1 if log else 0))
        elif walk.complete and walk.root != sealed.root:
            what = f"of {log}" if log else "of the global log"
            sentence = f"The entries {what} do not give the root that was signed for size {sealed.size}."
            self.report(Finding("root-differs", sentence, log))

    def _compare_older(self, kept: Checkpoint, roots: dict[int, bytes], size: int, *, log: str) -> None:
        if kept.size > size:
            self.report(_shorter(log, size, kept.size))
        elif kept.size and roots.get(kept.size, kept.root) != kept.root:
            self.report(_disagrees(log, kept.size))
        elif kept.size and kept.size not in roots:
            sentence = f"The log cannot be recomputed up to size {kept.size}, where it was signed before."
            self.report(Finding("older-checkpoint-not-comparable", sentence, log))

    def _add(self, findings: Iterator[Finding] | Sequence[Finding]) -> None:
        for finding in findings:
            self.report(finding)


def _again(files: TreeFiles, size: int) -> Iterator[tuple[int, Entry]]:
    """Every entry of a log that could be read before, once more."""
    for index in range(-(-size // TILE_WIDTH)):
        for place, raw in enumerate(files.entries(index, width_at(0, index, size)), index * TILE_WIDTH + 1):
            yield place, decode(raw)


def _missing(log: str) -> Finding:
    return Finding("log-missing", f"The global log has heads of {log}, but the bundle has no such account.", log)


def _shorter(log: str, size: int, before: int) -> Finding:
    what = log or "The global log"
    sentence = f"{what} has {size} entries, but {before} were signed before: its tail was cut."
    return Finding("log-shorter-than-checkpoint", sentence, log)


def _disagrees(log: str, size: int) -> Finding:
    what = log or "the global log"
    sentence = f"The first {size} entries of {what} are not those that were signed before: history was rewritten."
    return Finding("older-checkpoint-disagrees", sentence, log)
