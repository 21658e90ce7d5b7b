"""The three calls: send, check, validate-token; and cancel."""

from typing import Any, Final

from application import listing
from application.ports import Message
from application.scenarios import is_scenario, refusal_for
from application.verifications import (
    Cancelled,
    CancelVerification,
    CheckCode,
    Checked,
    Outgoing,
    Redeemed,
    RedeemToken,
    SendCode,
    Sent,
)
from domain import phone as phones
from domain import rules
from domain.lists import NOTHING
from domain.phone import PhoneNumber
from domain.refusals import (
    ChallengeRequired,
    CountryNotEnabled,
    DestinationBlocked,
    DestinationUnsupported,
    InvalidRequest,
    NumberBlocklisted,
    NumberNotAllowlisted,
)
from domain.rules import Destination
from interfaces.guard.challenge import Bound
from interfaces.http import bodies, rates
from interfaces.http.calls import Call, Context
from interfaces.http.problems import HttpRefusal
from interfaces.limits.windows import Limit

COMMON: Final = (
    "malformed_json",
    "invalid_request",
    "invalid_idempotency_key",
    "missing_api_key",
    "invalid_api_key",
    "revoked_api_key",
    "account_suspended",
    "payload_too_large",
    "idempotency_key_reused",
    "internal_error",
    "service_unavailable",
    "overloaded",
)

_UNTOLD: Final = (
    NumberBlocklisted,
    NumberNotAllowlisted,
    CountryNotEnabled,
    DestinationUnsupported,
    DestinationBlocked,
)


async def send(context: Context) -> Sent:
    """Send a code, or the same code again. A public key is not told why a number is not sent to: anybody holds one."""
    try:
        return await _send(context)
    except _UNTOLD:
        if context.identity.is_secret:
            raise
        raise DestinationBlocked("Messages are not sent to this number.") from None


async def _send(context: Context) -> Sent:
    desk, identity, body = context.desk, context.identity, context.body
    if body.client_ip is not None and not identity.is_secret:
        raise InvalidRequest("client_ip is for secret keys: with a public key the connection's address counts.")
    phone = phones.parse(body.phone_number)
    bound = Bound(identity.key.id, identity.log, desk.keyring.stream_of(identity.log, phone.e164))
    to = destination(context, phone)
    client_ip = bodies.client_ip(body.client_ip)
    locale = bodies.locale(body.locale, phone)
    web_origin = bodies.web_origin(body.web_origin, phone)
    app_hash = bodies.app_hash(body.app_hash, phone)
    metadata = bodies.metadata(body.metadata, phone)
    is_public = not identity.is_secret
    has_solved = is_public and body.challenge_response is not None
    has_solved = has_solved and await desk.challenge.accepts(body.challenge_response, bound)
    if identity.mode == "test":
        scripted = refusal_for(phone.e164)
        if scripted is not None:
            raise scripted
    if not context.idempotency:  # else it is first looked up whether the request is a repeated one
        rules.require(rules.EARLY, to)
    limits = limits_of(context, phone)
    counted = await rates.counted(desk.counters, limits, context.request.scope, is_public=is_public)
    if counted.refusal is not None:
        limits = []  # all is given back already
    command = SendCode(
        log=identity.log,
        stream=bound.stream,
        phone=phone,
        caller=identity.caller(client_ip=client_ip, idempotency=context.idempotency),
        keyring=desk.keyring,
        entropy=desk.entropy,
        holder=identity.account,
        destination=to,
        counted=counted,
        locale=locale,
        web_origin=web_origin,
        app_hash=app_hash,
        metadata=metadata,
        is_public=is_public,
        has_solved=has_solved,
    )
    try:
        desk.dispatcher.reserve()
    except BaseException:
        desk.counters.give_back(limits)
        raise

    def hand_over(outcome: Any) -> None:
        # Runs when the request is stored, even if its sender has hung up by then.
        if isinstance(outcome, Outgoing) and outcome.is_new:
            desk.dispatcher.accept(_message(context, command, outcome))
        else:
            desk.dispatcher.release()
            desk.counters.give_back(limits)

    try:
        waiting = desk.writer.ask(command, after=hand_over)
    except BaseException:
        desk.dispatcher.release()
        desk.counters.give_back(limits)
        raise
    try:
        return (await waiting).answer
    except ChallengeRequired as refusal:
        challenge = desk.challenge.make(bound, bits=identity.account.policy.guard_challenge_bits)
        raise HttpRefusal(refusal.code, refusal.detail, challenge=challenge) from None


def limits_of(context: Context, phone: PhoneNumber) -> list[Limit]:
    """What a message counts in beside the ledger. One of a test key goes nowhere and counts nowhere."""
    identity = context.identity
    if identity.mode == "test":
        return []
    address = (context.body.client_ip or "") if identity.is_secret else identity.address
    return rates.of_send(context.desk.keyring, identity.account, phone, address=address)


def destination(context: Context, phone: PhoneNumber) -> Destination:
    """Where a message is to go. A number that fixes an outcome for test keys is on no list."""
    identity = context.identity
    both = (identity.account.lists, identity.installation)
    if identity.mode == "test" and is_scenario(phone.e164):
        both = (NOTHING, NOTHING)
    listed = listing.listed(context.desk.keyring, identity.account.id, phone, installation=both[1])
    return Destination(listed, both)


async def check(context: Context) -> Checked:
    """Compare a code; the right one earns a token."""
    desk, identity, body = context.desk, context.identity, context.body
    if body.verification_id is None and not identity.is_secret:
        raise InvalidRequest("verification_id is required with a public key.")
    phone = phones.parse(body.phone_number)
    return await desk.writer.ask(
        CheckCode(
            log=identity.log,
            stream=desk.keyring.stream_of(identity.log, phone.e164),
            phone=phone,
            code=bodies.code(body.code),
            verification_id=body.verification_id,
            caller=identity.caller(idempotency=context.idempotency),
            keyring=desk.keyring,
            tokens=desk.tokens,
            entropy=desk.entropy,
            holder=identity.account,
        )
    )


async def validate_token(context: Context) -> Redeemed:
    """Redeem a token: once."""
    desk, identity, body = context.desk, context.identity, context.body
    phone = None if body.phone_number is None else phones.parse(body.phone_number)
    return await desk.writer.ask(
        RedeemToken(
            log=identity.log,
            claims=desk.tokens.read(identity.account.id, body.token),
            phone=phone,
            caller=identity.caller(idempotency=context.idempotency),
            keyring=desk.keyring,
            holder=identity.account,
        )
    )


async def cancel(context: Context) -> Cancelled:
    """Withdraw a verification that is still pending."""
    return await context.desk.writer.ask(
        CancelVerification(
            context.identity.log,
            context.request.path_params["verification_id"],
            context.identity.caller(idempotency=context.idempotency),
            context.identity.account,
        )
    )


def _message(context: Context, command: SendCode, outgoing: Outgoing) -> Message:
    identity, entropy = context.identity, context.desk.entropy
    return Message(
        log=command.log,
        stream=command.stream,
        verification_id=outgoing.answer.verification_id,
        send=outgoing.send,
        message_id="msg_" + entropy.bytes(12).hex(),
        to=command.phone.e164,
        mask=command.phone.mask,
        text=outgoing.text,
        code=outgoing.code,
        accepted_at=context.desk.clock.now(),
        account=identity.account.id,
        price_credits=outgoing.price_credits,
        sender=outgoing.sender,
    )


CALLS: Final = (
    Call(
        "POST",
        "/v1/verify/send",
        "Send a code by SMS; again is the resend",
        "sk pk",
        (
            *COMMON,
            "invalid_phone_number",
            "insufficient_credit",
            "origin_not_allowed",
            "number_blocklisted",
            "number_not_allowlisted",
            "country_not_enabled",
            "destination_unsupported",
            "destination_blocked",
            "challenge_required",
            "number_locked",
            "resend_cooldown",
            "number_send_limit",
            "ip_send_limit",
            "prefix_send_limit",
            "spend_cap_reached",
            "api_rate_limited",
        ),
        Sent,
        send,
        bodies.SendRequest,
    ),
    Call(
        "POST",
        "/v1/verify/check",
        "Compare a code; the right one earns a single-use token",
        "sk pk",
        (
            *COMMON,
            "invalid_phone_number",
            "invalid_code_format",
            "wrong_code",
            "attempts_exhausted",
            "origin_not_allowed",
            "verification_not_found",
            "code_expired",
            "already_verified",
            "verification_cancelled",
            "number_locked",
        ),
        Checked,
        check,
        bodies.CheckRequest,
    ),
    Call(
        "POST",
        "/v1/verify/validate-token",
        "Redeem a token",
        "sk",
        (
            *COMMON,
            "invalid_phone_number",
            "invalid_token",
            "token_expired",
            "token_already_redeemed",
            "token_phone_mismatch",
            "key_scope_forbidden",
        ),
        Redeemed,
        validate_token,
        bodies.ValidateTokenRequest,
    ),
    Call(
        "POST",
        "/v1/verifications/{verification_id:str}/cancel",
        "Withdraw a pending verification",
        "sk",
        (*COMMON, "key_scope_forbidden", "verification_not_found", "state_conflict"),
        Cancelled,
        cancel,
    ),
)
