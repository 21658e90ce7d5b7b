"""What an account should be, said a second time: whole seconds and plain collections, no code of the product.

An action is a tuple of its name and arguments; `do` returns what a client should be told. A verification is known by
its number and how many came before it, such as ("+1...", 2), until the product gives it an id.
"""

from dataclasses import dataclass, field
from typing import Any

DAY = 86_400
Action = tuple[Any, ...]
Told = tuple[Any, ...]
Name = tuple[str, int]


class Refused(Exception):
    """What a client is told instead, by the public code."""

    def __init__(self, code: str, **extras: int) -> None:
        super().__init__(code, *sorted(extras.items()))


@dataclass
class Number:
    """All about one number. `messages` says of each (verification, message): open, sent or settled."""

    begun: int = 0
    over: str = "never"
    sends: int = 0
    tries: int = 0
    next_at: int = 0
    ends_at: int = 0
    wrong: list[int] = field(default_factory=list)
    messages: dict[tuple[Name, int], str] = field(default_factory=dict)
    asked_at: dict[tuple[Name, int], int] = field(default_factory=dict)
    awaited: list[tuple[Name, int]] = field(default_factory=list)
    tokens: dict[Name, dict[str, Any]] = field(default_factory=dict)


class Model:
    """One account on its live log: what it answers and what it holds."""

    def __init__(self, *, opening: int) -> None:
        self.now = 0
        self.added = opening
        self.debited = self.refunded = 0
        self.facts = 2 if opening else 1
        self.suspended = False
        self.numbers: dict[str, Number] = {}
        self.repeats: dict[str, tuple[Action, int, Told]] = {}
        self.payments: dict[str, tuple[int, Told]] = {}

    @property
    def available(self) -> int:
        return self.added - self.debited + self.refunded

    def number(self, number: str) -> Number:
        return self.numbers.setdefault(number, Number())

    def do(self, action: Action, *, key: str = "") -> Told:
        """What this action is answered with; `key` is its Idempotency-Key."""
        known = self.repeats.get(key) if key else None
        if known is not None and self.now - known[1] < DAY:
            return self._repeated(known[2]) if known[0] == action else ("idempotency_key_reused",)
        facts = self.facts
        try:
            told: Told = getattr(self, f"_{action[0]}")(*action[1:])
        except Refused as refused:
            told = refused.args
        if key and self.facts > facts:
            self.repeats[key] = (action, self.now, told)
        return told

    @staticmethod
    def _repeated(told: Told) -> Told:
        return ("sent again", told[1], *told[3:]) if told[0] == "sent" else told

    # Verifications.

    def _send(self, number: str) -> Told:
        self._require_standing()
        it = self.number(number)
        self._require_unlocked(it)
        again = self._is_live(it)
        if again and it.sends >= 4:
            raise Refused("number_send_limit", retry_after_seconds=it.ends_at - self.now)
        if again and self.now < it.next_at:
            raise Refused("resend_cooldown", retry_after_seconds=it.next_at - self.now)
        if self.available < 1:
            raise Refused("insufficient_credit", available=self.available, price=1)
        if not again:
            it.begun, it.over, it.sends, it.tries, it.ends_at = it.begun + 1, "", 0, 5, self.now + 300
        it.sends += 1
        wait = {1: 30, 2: 60}.get(it.sends, 120)
        it.next_at = self.now + wait
        it.messages[(number, it.begun), it.sends] = "open"
        it.asked_at[(number, it.begun), it.sends] = self.now
        self.debited += 1
        self.facts += 2
        return "sent", (number, it.begun), it.sends, it.ends_at - self.now, wait

    def _check(self, number: str, code: Name | None, of: Name | None) -> Told:
        """`code` names the verification that this is the code of; None is a code of nothing."""
        self._require_standing()
        if of is not None and of[0] != number:
            raise Refused("verification_not_found")
        it = self.number(number)
        if it.over == "never":
            raise Refused("verification_not_found")
        if of is not None and of[1] != it.begun:
            raise Refused("code_expired")
        if it.over:
            raise Refused({"verified": "already_verified", "cancelled": "verification_cancelled"}[it.over])
        if it.tries == 0:
            raise Refused("attempts_exhausted")
        if self.now >= it.ends_at:
            raise Refused("code_expired")
        self._require_unlocked(it)
        self.facts += 1
        if code != (number, it.begun):
            it.tries -= 1
            it.wrong.append(self.now)
            raise Refused("wrong_code", attempts_left=it.tries)
        it.over = "verified"
        it.wrong.clear()
        for name, token in list(it.tokens.items()):
            if self.now >= token["until"]:
                it.tokens[name] = token | {"is": "forgotten"}
        it.tokens[(number, it.begun)] = {"is": "good", "until": self.now + 600}
        return "verified", (number, it.begun)

    def _redeem(self, token: Name, number: str | None) -> Told:
        self._require_standing()
        it = self.number(token[0])
        found = it.tokens[token]
        if found["is"] == "used":
            raise Refused("token_already_redeemed")
        if self.now >= found["until"]:
            raise Refused("token_expired")
        if number is not None and number != token[0]:
            raise Refused("token_phone_mismatch")
        found["is"] = "used"
        self.facts += 1
        return "redeemed", token

    def _cancel(self, of: Name) -> Told:
        self._require_standing()
        it = self.number(of[0])
        if of[1] == it.begun and it.over == "cancelled":
            return "cancelled", of
        if of[1] != it.begun or not self._is_live(it):
            raise Refused("state_conflict")
        it.over = "cancelled"
        self.facts += 1
        return "cancelled", of

    # What becomes of a message.

    def _took(self, of: Name, send: int) -> Told:
        it = self._message(of, send, "open")
        it.messages[of, send] = "sent"
        it.awaited.append((of, send))
        for old in it.awaited[:-16]:
            it.messages[old] = "settled"
        it.awaited = it.awaited[-16:]
        self.facts += 1
        return ("recorded",)

    def _refused(self, of: Name, send: int) -> Told:
        it = self._message(of, send, "open")
        it.messages[of, send] = "settled"
        if (of[1], send) == (it.begun, it.sends):
            it.next_at = self.now
        self.refunded += 1
        self.facts += 2
        return ("recorded",)

    def _delivery(self, of: Name, send: int, delivered: bool) -> Told:  # noqa: FBT001 - an action has no keywords
        it = self._message(of, send, "sent")
        if self.now - it.asked_at[of, send] > 3 * DAY:
            raise Refused("state_conflict")
        it.messages[of, send] = "settled"
        it.awaited.remove((of, send))
        self.refunded += 0 if delivered else 1
        self.facts += 1 if delivered else 2
        return ("recorded",)

    def _message(self, of: Name, send: int, state: str) -> Number:
        it = self.number(of[0])
        if it.messages[of, send] != state:
            raise Refused("state_conflict")
        return it

    # The account.

    def _credit(self, credits: int, reference: str) -> Told:
        if reference in self.payments:
            first, told = self.payments[reference]
            return told if first == credits else ("idempotency_key_reused",)
        self.added += credits
        self.facts += 1
        self.payments[reference] = (credits, ("credited", credits))
        return self.payments[reference][1]

    def _suspend(self, suspended: bool) -> Told:  # noqa: FBT001 - an action has no keywords
        changed = self.suspended != suspended
        self.suspended = suspended
        self.facts += changed
        return "changed", changed

    def _balance(self) -> Told:
        return "balance", self.available, self.debited, self.refunded, self.added, self.facts

    # Rules.

    def _is_live(self, it: Number) -> bool:
        return it.over == "" and it.tries > 0 and self.now < it.ends_at

    def _require_standing(self) -> None:
        if self.suspended:
            raise Refused("account_suspended")

    def _require_unlocked(self, it: Number) -> None:
        recent = sorted(moment for moment in it.wrong if self.now - moment < DAY)
        if len(recent) >= 20:
            raise Refused("number_locked", retry_after_seconds=recent[-20] + DAY - self.now)
