"""The three calls: send, check, validate-token; and cancel."""

from typing import Any, Final

from application.ports import Message
from application.scenarios import refusal_for
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
from domain.refusals import ChallengeRequired, InvalidRequest
from interfaces.guard.challenge import Bound
from interfaces.http import bodies
from interfaces.http.calls import Call, Context
from interfaces.http.problems import HttpRefusal

_COMMON: Final = (
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


async def send(context: Context) -> Sent:
    """Send a code, or the same code again."""
    desk, identity, body = context.desk, context.identity, context.body
    if body.client_ip is not None and not identity.is_secret:
        raise InvalidRequest("client_ip is for secret keys: with a public key the connection's address counts.")
    if body.challenge_response is not None and identity.is_secret:
        raise InvalidRequest("challenge_response is for public keys.")
    phone = phones.parse(body.phone_number)
    bound = Bound(identity.key.id, identity.log, desk.keyring.stream_of(identity.log, phone.e164))
    command = SendCode(
        log=identity.log,
        stream=bound.stream,
        phone=phone,
        caller=identity.caller(client_ip=bodies.client_ip(body.client_ip), idempotency=context.idempotency),
        keyring=desk.keyring,
        entropy=desk.entropy,
        holder=identity.account,
        locale=bodies.locale(body.locale, phone),
        web_origin=bodies.web_origin(body.web_origin, phone),
        app_hash=bodies.app_hash(body.app_hash, phone),
        metadata=bodies.metadata(body.metadata, phone),
        is_public=not identity.is_secret,
        has_solved=body.challenge_response is not None and await desk.challenge.accepts(body.challenge_response, bound),
    )
    if identity.mode == "test":
        scripted = refusal_for(phone.e164)
        if scripted is not None:
            raise scripted
    desk.dispatcher.reserve()

    def hand_over(outcome: Any) -> None:
        # Runs when the request is stored, even if its sender has hung up by then.
        if isinstance(outcome, Outgoing) and outcome.is_new:
            desk.dispatcher.accept(_message(context, command, outcome))
        else:
            desk.dispatcher.release()

    try:
        waiting = desk.writer.ask(command, after=hand_over)
    except BaseException:
        desk.dispatcher.release()
        raise
    try:
        return (await waiting).answer
    except ChallengeRequired as refusal:
        challenge = desk.challenge.make(bound, bits=identity.account.policy.guard_challenge_bits)
        raise HttpRefusal(refusal.code, refusal.detail, challenge=challenge) from None


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
    )


CALLS: Final = (
    Call(
        "POST",
        "/v1/verify/send",
        "Send a code by SMS; again is the resend",
        "sk pk",
        (
            *_COMMON,
            "invalid_phone_number",
            "insufficient_credit",
            "origin_not_allowed",
            "number_blocklisted",
            "country_not_enabled",
            "destination_blocked",
            "challenge_required",
            "number_locked",
            "resend_cooldown",
            "number_send_limit",
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
            *_COMMON,
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
            *_COMMON,
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
        (*_COMMON, "key_scope_forbidden", "verification_not_found", "state_conflict"),
        Cancelled,
        cancel,
    ),
)
