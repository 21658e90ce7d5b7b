"""Explain: the rules of a send, asked for a number now. Nothing is sent, recorded or counted."""

from typing import Final

import msgspec

from application.explaining import ExplainSend
from application.verifications import SendCode
from domain import phone as phones
from domain.rules import Step
from interfaces.http import bodies, rates, verify
from interfaces.http.calls import Call, Context


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What a send to the number would come to now. `code` is that of the refusal, empty where it would be sent."""

    outcome: str
    code: str
    phone_number: str
    country: str
    rules: tuple[Step, ...]


async def explain(context: Context) -> Explained:
    """The decision path for a number."""
    phone = phones.parse(context.body.phone_number)
    desk, identity = context.desk, context.identity
    bodies.client_ip(context.body.client_ip)
    limits = verify.limits_of(context, phone)
    command = SendCode(
        log=identity.log,
        stream=desk.keyring.stream_of(identity.log, phone.e164),
        phone=phone,
        caller=identity.caller(),
        keyring=desk.keyring,
        entropy=desk.entropy,
        holder=identity.account,
        destination=verify.destination(context, phone),
        counted=await rates.uncounted(desk.counters, limits),
    )
    steps = await context.desk.writer.ask(ExplainSend(command))
    code = next((step.code for step in steps if step.code), "")
    return Explained(
        outcome="refused" if code else "sent",
        code=code,
        phone_number=phone.mask,
        country=phone.country,
        rules=tuple(steps),
    )


_CODES: Final = (*verify.COMMON, "invalid_phone_number", "key_scope_forbidden")
CALLS: Final = (
    Call(
        "POST",
        "/v1/verify/explain",
        "What a send would come to now, rule by rule, without sending",
        "sk",
        _CODES,
        Explained,
        explain,
        bodies.ExplainRequest,
    ),
)
