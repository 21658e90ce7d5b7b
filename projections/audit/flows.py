"""What must hold of each verification: request, debit, attempts, the one success, the one redemption, refunds.

Memory is that of the verifications begun last. Whatever happens to an older one makes it a suspect; all suspects, and ids that
came twice, are seen once more from their first event, with a memory that forgets nothing.
"""

from array import array
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Final

from projections.audit.known import moment
from projections.audit.recent import KEPT_MAX, Recent

ATTEMPTS_MAX: Final = 5
_SHARES: Final = 16

Break = Callable[[str, int], None]
"""Takes the name of an invariant and the place where it is broken."""


class _Flow:
    __slots__ = (
        "attempts",
        "cancelled",
        "debits",
        "expires_at",
        "failures",
        "phone",
        "redeemed",
        "refunded",
        "sends",
        "token_expires_at",
        "token_id",
    )

    def __init__(self, requested: dict[str, Any]) -> None:
        self.attempts: int = min(ATTEMPTS_MAX, requested["attempts_left"])
        self.expires_at: str = requested["expires_at"]
        self.phone: str = requested["phone"]
        self.sends = 0
        self.failures = 0
        self.cancelled = False
        self.token_id: str | None = None
        self.token_expires_at = ""
        self.redeemed = False
        self.debits: dict[int, int] | None = None
        self.refunded: set[int] | None = None


class Flows:
    """The verifications of one log. `finish` is the end; it may want to see the events again."""

    def __init__(self, report: Break, *, kept_max: int = KEPT_MAX, is_test: bool = False) -> None:
        self._report = report
        self._is_test = is_test
        self._forgets = kept_max > 0
        self._flows: Recent[_Flow] = Recent(kept_max=kept_max)
        self._begun = [array("q") for _ in range(_SHARES)]  # hashes of the ids of all verifications
        self._suspects: set[int] = set()
        self._requested = (0, "", 0, 0)  # the last CodeRequested: place, verification, send, price
        self._due: tuple[int, str, str, int] | None = None  # place, and what has to come right after it

    def see(self, place: int, type_: str, data: dict[str, Any]) -> None:
        """An event that names a verification, with fields as they should be."""
        if self._due is not None:
            self._settle(place, type_, data)
        verification_id = data["verification_id"]
        flow = self._flows.get(verification_id)
        if type_ == "CodeRequested.v1":
            self._request(place, data, flow)
        elif type_ == "CreditDebited.v1":
            self._debit(place, data, flow)
        elif flow is None:
            self._unknown(place, type_, verification_id)
        else:
            self._follow(place, type_, data, flow)

    def finish(self, again: Iterable[tuple[int, str, dict[str, Any]]]) -> None:
        """The end of the log."""
        self._settle(0, "", {})
        suspects = self._suspects | self._twice()
        if not suspects or not self._forgets:
            return
        exact = Flows(self._report, kept_max=0, is_test=self._is_test)
        for place, type_, data in again:
            if hash(data["verification_id"]) in suspects:
                exact.see(place, type_, data)
        exact.finish(())

    def _follow(self, place: int, type_: str, data: dict[str, Any], flow: _Flow) -> None:
        match type_:
            case "Verified.v1":
                self._verify(place, data, flow)
            case "TokenRedeemed.v1":
                self._redeem(place, data, flow)
            case "AttemptFailed.v1":
                self._fail_attempt(place, data, flow)
            case "SendFailed.v1":
                self._fail_send(place, data, flow)
            case "DeliveryReported.v1" if data["outcome"] == "undelivered":
                self._fail_send(place, data, flow)
            case "CreditRefunded.v1":
                self._refund(place, data, flow)
            case "VerificationCancelled.v1":
                flow.cancelled = True
            case _:
                pass

    def _request(self, place: int, data: dict[str, Any], flow: _Flow | None) -> None:
        verification_id, send, price = data["verification_id"], data["send"], data["price_credits"]
        self._requested = (place, verification_id, send, price)
        if price and not self._is_test:
            self._due = (place, "CreditDebited.v1", verification_id, send)
        if flow is None and send != 1 and self._forgets:
            self._suspects.add(hash(verification_id))
            return
        if flow is None:
            key = hash(verification_id)
            self._begun[key % _SHARES].append(key)
            flow = _Flow(data)
            self._flows.put(verification_id, flow)
        if send != flow.sends + 1:
            self._report("sends-count-up", place)
        flow.sends = send

    def _debit(self, place: int, data: dict[str, Any], flow: _Flow | None) -> None:
        if self._is_test:
            return
        if (place - 1, data["verification_id"], data["send"], data["credits"]) != self._requested:
            self._report("debit-pays-one-request", place)
        if flow is not None:
            if flow.debits is None:
                flow.debits = {}
            flow.debits[data["send"]] = data["credits"]

    def _fail_send(self, place: int, data: dict[str, Any], flow: _Flow) -> None:
        send = data["send"]
        if send in (flow.debits or ()) and send not in (flow.refunded or ()):
            self._due = (place, "CreditRefunded.v1", data["verification_id"], send)

    def _refund(self, place: int, data: dict[str, Any], flow: _Flow) -> None:
        send = data["send"]
        if flow.refunded is None:
            flow.refunded = set()
        if send in flow.refunded or (flow.debits or {}).get(send) != data["credits"]:
            self._report("refund-for-one-debit", place)
        flow.refunded.add(send)

    def _fail_attempt(self, place: int, data: dict[str, Any], flow: _Flow) -> None:
        flow.failures += 1
        if data["attempts_left"] != flow.attempts - flow.failures:
            self._report("attempts-count-down", place)

    def _verify(self, place: int, data: dict[str, Any], flow: _Flow) -> None:
        if flow.token_id is not None:
            self._report("verified-once", place)
        if flow.failures >= flow.attempts:
            self._report("verified-within-attempts", place)
        if flow.cancelled:
            self._report("verified-not-cancelled", place)
        if moment(data["at"]) >= moment(flow.expires_at):
            self._report("verified-before-expiry", place)
        flow.token_id, flow.token_expires_at = data["token_id"], data["token_expires_at"]

    def _redeem(self, place: int, data: dict[str, Any], flow: _Flow) -> None:
        if flow.token_id != data["token_id"] or flow.phone != data["phone"]:
            self._report("redeemed-matches-verified", place)
        elif moment(data["at"]) >= moment(flow.token_expires_at):
            self._report("redeemed-before-expiry", place)
        if flow.redeemed:
            self._report("redeemed-once", place)
        flow.redeemed = True

    def _unknown(self, place: int, type_: str, verification_id: str) -> None:
        if self._forgets:
            self._suspects.add(hash(verification_id))
        else:
            refund = type_ == "CreditRefunded.v1"
            self._report("refund-for-one-debit" if refund else "verification-requested", place)

    def _settle(self, place: int, type_: str, data: dict[str, Any]) -> None:
        """Whether what had to come right after the last event did."""
        due, self._due = self._due, None
        if due is None:
            return
        if place != due[0] + 1 or (type_, data["verification_id"], data.get("send")) != due[1:]:
            self._report("credits-add-up", due[0])

    def _twice(self) -> set[int]:
        """The hashes of ids with which more than one verification began, for all that was remembered."""
        found = set()
        for share in self._begun:
            ordered = sorted(share)
            found |= {one for one, next_ in pairwise(ordered) if one == next_}
        return found
