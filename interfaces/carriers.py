"""The providers that the settings name, built for the composition root: each with its account, and who is asked where."""

from collections.abc import Mapping
from typing import Any

import msgspec

from application.keyring import Keyring
from application.ports import Message, Provider
from domain.routing import Routes, checked_routes
from interfaces.http.carrier_receipts import Signatures, twilio_callback
from interfaces.settings import Settings, SettingsError
from interfaces.sms.inbox import InboxProvider, InboxStore
from interfaces.sms.twilio import TwilioProvider
from interfaces.sms.vonage import VonageProvider
from interfaces.sms.webhook import TRIES_MAX, WebhookProvider

ROUTES_BYTES_MAX = 1 << 20
_WEBHOOK = "webhook:"


def providers(settings: Settings, keyring: Keyring, inbox: InboxStore | None) -> dict[str, Provider]:
    """By name, most preferred first."""
    made = [_provider(name, settings, keyring, inbox) for name in settings.sms]
    return {provider.name: provider for provider in made}


def routes(settings: Settings) -> Routes:
    """Who is asked where; raises SettingsError for a file that cannot be used."""
    known = [name.partition(":")[0] for name in settings.sms]
    if settings.routes is None:
        return checked_routes({}, known=known)
    try:
        with settings.routes.open("rb") as opened:
            table = msgspec.json.decode(opened.read(ROUTES_BYTES_MAX), type=dict[str, list[str]])
        return checked_routes(table, known=known)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError([f"DONEOTP_ROUTES: {settings.routes}: {reason}"]) from None


def signatures(settings: Settings) -> Signatures:
    """What reports are checked with."""
    return Signatures(settings.public_url, settings.twilio_auth_token, settings.vonage_signature_secret)


async def close(made: Mapping[str, Any]) -> None:
    """End their connections."""
    for provider in made.values():
        if not isinstance(provider, InboxProvider):
            await provider.close()


def _provider(name: str, settings: Settings, keyring: Keyring, inbox: InboxStore | None) -> Provider:
    def reference(message: Message) -> str:
        return keyring.receipt_reference(
            name, log=message.log, verification_id=message.verification_id, send=message.send
        )

    match name:
        case "inbox":
            assert inbox is not None, "settings refuse the inbox provider where there is no inbox"
            return InboxProvider(inbox)
        case "twilio":
            return TwilioProvider(
                account_sid=settings.twilio_account_sid,
                auth_token=settings.twilio_auth_token,
                sender=settings.twilio_from,
                callback=lambda message: twilio_callback(settings.public_url, reference(message)),
                url=settings.twilio_url,
            )
        case "vonage":
            return VonageProvider(
                api_key=settings.vonage_api_key,
                api_secret=settings.vonage_api_secret,
                sender=settings.vonage_from,
                reference=reference,
                url=settings.vonage_url,
            )
        case _:
            secret = settings.webhook_secret or keyring.webhook_secret()
            # Tried again by itself only where nobody else can be asked: a message goes out twice at most.
            tries = TRIES_MAX if len(settings.sms) == 1 else 1
            return WebhookProvider(name.removeprefix(_WEBHOOK), secret=secret, tries_max=tries)
