"""Every reason for recording nothing.

A refusal leaves no event. Its `code` is part of the public contract; `extras` go into the answer beside it. None of
them may hold a phone number, a code, a key or a token.
"""

from typing import ClassVar


class Refusal(Exception):
    """Base of all refusals. `retry_after_seconds` is set where waiting helps."""

    code: ClassVar[str]

    def __init__(self, detail: str = "", *, retry_after_seconds: int | None = None, **extras: int | str | bool) -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip())
        self.detail = str(self)
        self.retry_after_seconds = retry_after_seconds
        self.extras = extras


class InvalidRequest(Refusal):
    """The request is not of the documented shape."""

    code = "invalid_request"


class InvalidPhoneNumber(Refusal):
    """The phone number is not a valid number in E.164 form: a plus sign, the country code, the subscriber number."""

    code = "invalid_phone_number"


class InvalidCodeFormat(Refusal):
    """The code is not made of the right number of ASCII digits. This did not count as an attempt."""

    code = "invalid_code_format"


class WrongCode(Refusal):
    """The code is not the one that was sent."""

    code = "wrong_code"


class AttemptsExhausted(Refusal):
    """This verification ended after its last wrong code. Send again to start a new one."""

    code = "attempts_exhausted"


class InvalidToken(Refusal):
    """The token was not issued by this service to this account."""

    code = "invalid_token"


class TokenExpired(Refusal):
    """The token was not redeemed in time."""

    code = "token_expired"


class TokenAlreadyRedeemed(Refusal):
    """The token was redeemed before; a token counts once."""

    code = "token_already_redeemed"


class TokenPhoneMismatch(Refusal):
    """The token was earned with another phone number. It was not redeemed."""

    code = "token_phone_mismatch"


class InsufficientCredit(Refusal):
    """The account cannot pay for this message."""

    code = "insufficient_credit"


class SpendCapReached(Refusal):
    """This message would cost more than the account, or this key, may spend in this time."""

    code = "spend_cap_reached"


class AccountSuspended(Refusal):
    """The account is suspended."""

    code = "account_suspended"


class VerificationNotFound(Refusal):
    """There is no such verification for this number."""

    code = "verification_not_found"


class CodeExpired(Refusal):
    """The verification is past its lifetime. Send again to start a new one."""

    code = "code_expired"


class AlreadyVerified(Refusal):
    """The code of this verification was used; a code counts once."""

    code = "already_verified"


class VerificationCancelled(Refusal):
    """The verification was cancelled. Send again to start a new one."""

    code = "verification_cancelled"


class StateConflict(Refusal):
    """The state of the resource does not allow this."""

    code = "state_conflict"


class ResendCooldown(Refusal):
    """A message went out a moment ago; wait before asking for another."""

    code = "resend_cooldown"


class NumberLocked(Refusal):
    """Too many wrong codes for this number in 24 hours."""

    code = "number_locked"


class NumberSendLimit(Refusal):
    """This verification has had all its messages."""

    code = "number_send_limit"


class IdempotencyKeyReused(Refusal):
    """This Idempotency-Key was used with another request within 24 hours."""

    code = "idempotency_key_reused"


class Overloaded(Refusal):
    """More requests wait than this server accepts; try again shortly."""

    code = "overloaded"


class ServiceUnavailable(Refusal):
    """The ledger cannot be reached or is still starting; nothing was recorded."""

    code = "service_unavailable"


class NumberBlocklisted(Refusal):
    """The account's owner has blocked this number."""

    code = "number_blocklisted"


class NumberNotAllowlisted(Refusal):
    """The account sends to listed numbers only, and this is none of them."""

    code = "number_not_allowlisted"


class IpBlocklisted(Refusal):
    """The address that the request came from is blocked."""

    code = "ip_blocklisted"


class IpNotAllowlisted(Refusal):
    """Secret keys of this account may be used from listed addresses only, and this is none of them."""

    code = "ip_not_allowlisted"


class CountryNotEnabled(Refusal):
    """The account does not send to this number's country."""

    code = "country_not_enabled"


class IpSendLimit(Refusal):
    """Too many messages were asked for from this address."""

    code = "ip_send_limit"


class PrefixSendLimit(Refusal):
    """Too many messages went to numbers like this one."""

    code = "prefix_send_limit"


class AuthFailuresLimited(Refusal):
    """Too many failed authentications came from this address."""

    code = "auth_failures_limited"


class DestinationUnsupported(Refusal):
    """Numbers of this kind (premium rate, shared cost, satellite, VoIP, pager and the like) are not sent to."""

    code = "destination_unsupported"


class DestinationBlocked(Refusal):
    """Traffic to this destination looks fraudulent; nothing is sent there for now."""

    code = "destination_blocked"


class ChallengeRequired(Refusal):
    """Traffic to this destination looks unusual; solve the challenge and send again with the answer."""

    code = "challenge_required"


class ApiRateLimited(Refusal):
    """More requests came from this key than it may make in this time."""

    code = "api_rate_limited"
