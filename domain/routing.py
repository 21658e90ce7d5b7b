"""Which providers are asked for a destination, in which order, and when one is left alone for a while.

A circuit is closed while its provider works, open while it does not, and half open when one message may try it again.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

ELSEWHERE: Final = "*"
RECENT_MAX: Final = 20
"""Handoffs that a circuit remembers."""
RECENT_MIN: Final = 10
"""Handoffs that it takes to judge by."""
FAILED_SHARE: Final = 0.5
OPEN_SECONDS: Final = 5
OPEN_SECONDS_MAX: Final = 120
PROBE_SECONDS_MAX: Final = 30
"""How long the one message that tries an open circuit may take, before another may."""
REPORTS_MIN: Final = 30
"""Delivery reports in a row that are judged together."""
DELIVERED_SHARE: Final = 0.5
POOR_SECONDS: Final = 600
ROUTES_MAX: Final = 2_000
PROVIDERS_MAX: Final = 8
_DESTINATION: Final = re.compile(r"\*|[A-Z]{2}|\+[1-9][0-9]{0,10}", re.ASCII)


class Routes(msgspec.Struct, frozen=True):
    """Providers by destination, most preferred first: a prefix (`+1415`), a country (`TR`), or all others (`*`)."""

    table: dict[str, tuple[str, ...]]

    def order(self, e164: str, country: str) -> tuple[str, ...]:
        """The providers for a number: by the longest prefix that fits, else by its country, else by `*`."""
        for length in range(len(e164), 1, -1):
            found = self.table.get(e164[:length])
            if found is not None:
                return found
        found = self.table.get(country)
        return self.table[ELSEWHERE] if found is None else found


def checked_routes(table: dict[str, list[str]], *, known: Sequence[str]) -> Routes:
    """Routes over the providers that are configured; raises ValueError with a sentence."""
    if len(table) > ROUTES_MAX:
        raise ValueError(f"must name at most {ROUTES_MAX} destinations")
    for destination, providers in table.items():
        if _DESTINATION.fullmatch(destination) is None:
            raise ValueError('must name destinations by "*", a country such as "TR", or a prefix such as "+1415"')
        if not providers or len(providers) > PROVIDERS_MAX or len(set(providers)) != len(providers):
            raise ValueError(f"must give each destination 1 to {PROVIDERS_MAX} different providers")
        unknown = [name for name in providers if name not in known]
        if unknown:
            raise ValueError(f"names {unknown[0]!r}, which DONEOTP_SMS does not")
    return Routes({ELSEWHERE: tuple(known)} | {place: tuple(names) for place, names in table.items()})


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider has done of late. `recent` is whether each of the last handoffs went well."""

    recent: tuple[bool, ...] = ()
    open_until: datetime | None = None
    openings: int = 0
    probed_at: datetime | None = None
    reports: tuple[bool, ...] = ()
    poor_until: datetime | None = None

    def state(self, now: datetime) -> str:
        """`closed`, `open` or `half_open`."""
        if self.open_until is None:
            return "closed"
        return "open" if now < self.open_until else "half_open"

    def allows(self, now: datetime) -> bool:
        """Whether a message may be handed over now."""
        if self.state(now) != "half_open":
            return self.open_until is None
        return self.probed_at is None or now - self.probed_at > timedelta(seconds=PROBE_SECONDS_MAX)

    def is_poor(self, now: datetime) -> bool:
        """Whether it delivers so little that others come first."""
        return self.poor_until is not None and now < self.poor_until

    def tried(self, now: datetime) -> "Circuit":
        """A message is on its way: if the circuit is half open, it is the one that finds out."""
        return self if self.open_until is None else replace(self, probed_at=now)

    def ended(self, *, well: bool, now: datetime) -> "Circuit":
        """A handoff ended: the circuit opens when half of them went badly, for longer each time, and closes on success."""
        if self.open_until is not None:
            return self._closed() if well else self._opened(now)
        recent = (*self.recent, well)[-RECENT_MAX:]
        failed = recent.count(False)
        if not well and len(recent) >= RECENT_MIN and failed >= FAILED_SHARE * len(recent):
            return self._opened(now)
        return replace(self, recent=recent, openings=0 if failed == 0 else self.openings)

    def reported(self, *, delivered: bool, now: datetime) -> "Circuit":
        """A delivery report: when most of so many say undelivered, others come first for some minutes."""
        reports = (*self.reports, delivered)
        if len(reports) < REPORTS_MIN:
            return replace(self, reports=reports)
        is_poor = reports.count(True) < DELIVERED_SHARE * len(reports)
        return replace(self, reports=(), poor_until=now + timedelta(seconds=POOR_SECONDS) if is_poor else None)

    def _opened(self, now: datetime) -> "Circuit":
        seconds = min(OPEN_SECONDS * 2 ** min(self.openings, 10), OPEN_SECONDS_MAX)
        return replace(
            self,
            recent=(),
            open_until=now + timedelta(seconds=seconds),
            openings=self.openings + 1,
            probed_at=None,
        )

    def _closed(self) -> "Circuit":
        return replace(self, recent=(), open_until=None, probed_at=None)
