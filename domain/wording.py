"""What an account says in its messages and from whom they come, decided and folded here.

Of the texts for a language the account's own comes first, then the shipped one; the closer language wins over both.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from domain import senders as sender_rules
from domain.events import Event, SenderChanged, SenderRemoved, TemplateChanged, TemplateRemoved, WordingChanged
from domain.refusals import InvalidRequest
from domain.shipped import ENGLISH, SHIPPED, candidates, canonical
from domain.templates import brand_faults, faults

TEMPLATES_MAX: Final = 100
"""Texts of its own that an account may have at once."""
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?", re.ASCII)


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """Texts by language, the language of those who name none, the name before shipped texts, senders by country."""

    templates: dict[str, str] = {}
    default_locale: str = ""
    brand: str = ""
    senders: dict[str, str] = {}


SHIPPED_WORDING: Final = Wording()


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The text that a message is made of, and the language it is in."""

    locale: str
    template: str
    is_own: bool


def choose(wording: Wording, locale: str) -> Chosen:
    """The text for a language: as asked for, its language, the account's default, English."""
    wanted = [tag for name in (locale, wording.default_locale, ENGLISH) if name for tag in candidates(name)]
    tag = next(tag for tag in wanted if tag in wording.templates or tag in SHIPPED)
    own = wording.templates.get(tag)
    if own is not None:
        return Chosen(locale=tag, template=own, is_own=True)
    return Chosen(locale=tag, template=branded(SHIPPED[tag], wording.brand), is_own=False)


@lru_cache(maxsize=4_096)
def branded(template: str, brand: str) -> str:
    """A shipped text with the account's name before it."""
    return f"{brand}: {template}" if brand else template


def change_template(wording: Wording, *, locale: str, text: str, by: str, now: datetime) -> TemplateChanged | None:
    """A text of its own for a language; None when it is that already. Raises InvalidRequest with each fault in words."""
    tag = require_locale(locale)
    found = faults(text)
    if found:
        raise InvalidRequest(" ".join(found))
    if wording.templates.get(tag) == text:
        return None
    if tag not in wording.templates and len(wording.templates) >= TEMPLATES_MAX:
        raise InvalidRequest(f"An account has at most {TEMPLATES_MAX} texts of its own.")
    return TemplateChanged(at=now, locale=tag, text=text, by=by)


def remove_template(wording: Wording, *, locale: str, by: str, now: datetime) -> TemplateRemoved | None:
    """Back to the shipped text; None when there is none of its own."""
    tag = require_locale(locale)
    return TemplateRemoved(at=now, locale=tag, by=by) if tag in wording.templates else None


def change(
    wording: Wording, *, default_locale: str | None, brand: str | None, by: str, now: datetime
) -> WordingChanged | None:
    """Language of those who name none, and name before shipped texts; None leaves one as it is, empty takes it away."""
    locale = wording.default_locale if default_locale is None else default_locale and require_locale(default_locale)
    if locale and not any(tag in SHIPPED or tag in wording.templates for tag in candidates(locale)):
        raise InvalidRequest("There is no text in that language: set one first.")
    name = wording.brand if brand is None else brand
    found = brand_faults(name) if name else []
    if found:
        raise InvalidRequest(" ".join(found))
    if (locale, name) == (wording.default_locale, wording.brand):
        return None
    return WordingChanged(at=now, default_locale=locale, brand=name, by=by)


def change_sender(wording: Wording, *, country: str, sender: str, by: str, now: datetime) -> SenderChanged | None:
    """Where messages to a country come from; None when that is so already. Raises InvalidRequest."""
    sender_rules.require_sound(country, sender)
    if wording.senders.get(country) == sender:
        return None
    return SenderChanged(at=now, country=country, sender=sender, by=by)


def remove_sender(wording: Wording, *, country: str, by: str, now: datetime) -> SenderRemoved | None:
    """Leave the sender to the provider again; None when none was named."""
    return SenderRemoved(at=now, country=country, by=by) if country in wording.senders else None


def require_locale(locale: str) -> str:
    """The tag as it is spelled in the ledger; raises InvalidRequest for what is no language, script or region."""
    if _LOCALE.fullmatch(locale) is None:
        raise InvalidRequest("locale must be a language, such as de, pt-BR or zh-Hant.")
    return canonical(locale)


def evolve(wording: Wording, event: Event) -> Wording:
    """The wording after `event`. Never refuses."""
    match event:
        case TemplateChanged():
            return replace(wording, templates={**wording.templates, event.locale: event.text})
        case TemplateRemoved():
            return replace(wording, templates=_without(wording.templates, event.locale))
        case WordingChanged():
            return replace(wording, default_locale=event.default_locale, brand=event.brand)
        case SenderChanged():
            return replace(wording, senders={**wording.senders, event.country: event.sender})
        case SenderRemoved():
            return replace(wording, senders=_without(wording.senders, event.country))
        case _:
            return wording


def _without(texts: dict[str, str], name: str) -> dict[str, str]:
    return {key: text for key, text in texts.items() if key != name}
