"""`templates`: show, lint, set, remove, cost."""

import argparse
from typing import Any

import msgspec

from domain.shipped import SHIPPED
from domain.templates import advice, faults
from domain.templates import cost as cost_of
from domain.wording import Wording, choose
from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import Refused, emit


def show(arguments: argparse.Namespace) -> int:
    """Show all texts that the account's messages may have."""
    with open_books() as books:
        wording = books.administration.account(arguments.account).wording
    texts = rows(wording)
    lines = [f"{row['locale']:8} {'own' if row['own'] else 'shipped':8} {row['text']}" for row in texts]
    lines.append(f"default language: {wording.default_locale or 'en'}, name: {wording.brand or 'none'}")
    document = {
        "account_id": arguments.account,
        "default_locale": wording.default_locale or "en",
        "brand": wording.brand,
        "templates": texts,
    }
    emit(arguments, document, "\n".join(lines))
    return 0


def lint(arguments: argparse.Namespace) -> int:
    """Faults of a text, or of all that an account may send; exit status 1 where there is one."""
    if bool(arguments.account) == bool(arguments.text):
        raise Refused("invalid_request", "Give an account, or a text with --text.")
    if arguments.text:
        texts = {"": arguments.text}
    else:
        with open_books() as books:
            wording = books.administration.account(arguments.account).wording
        texts = {row["locale"]: row["text"] for row in rows(wording)}
    judged = [_judged(locale, text) for locale, text in texts.items()]
    emit(arguments, {"texts": judged}, "\n".join(line for one in judged for line in _told(one)))
    return 1 if any(one["faults"] for one in judged) else 0


def set_(arguments: argparse.Namespace) -> int:
    """Change a text, the default language or the name; events say who did."""
    if (arguments.locale is None) != (arguments.text is None):
        raise Refused("invalid_request", "--locale and --text belong together.")
    settings = (arguments.default_locale, arguments.brand)
    if arguments.text is None and settings == (None, None):
        raise Refused("invalid_request", "Nothing to set: give --locale and --text, --default-locale or --brand.")
    changed = False
    with open_books() as books:
        if arguments.text is not None:
            changed = books.administration.change_template(
                arguments.account, locale=arguments.locale, text=arguments.text, by=operator()
            )
        if settings != (None, None):
            changed |= books.administration.change_wording(
                arguments.account, default_locale=settings[0], brand=settings[1], by=operator()
            )
    emit(
        arguments,
        {"account_id": arguments.account, "changed": changed},
        "changed" if changed else "was so already",
    )
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Use the shipped text again."""
    with open_books() as books:
        changed = books.administration.remove_template(arguments.account, locale=arguments.locale, by=operator())
    text = "removed" if changed else "there was none of its own"
    emit(arguments, {"account_id": arguments.account, "changed": changed}, text)
    return 0


def cost(arguments: argparse.Namespace) -> int:
    """Encoding and segments of every shipped text."""
    costs = {locale: cost_of(text) for locale, text in SHIPPED.items()}
    lines = [f"{'':8} {'encoding':9} {'units':>5} {'segments':>9} {'@host':>6} {'app hash':>9}"]
    for locale, one in costs.items():
        lines.append(
            f"{locale:8} {one.encoding:9} {one.units:5} {one.segments:9} {one.segments_with_web_origin:6} "
            f"{one.segments_with_app_hash:9}"
        )
    emit(arguments, {"templates": {name: msgspec.to_builtins(one) for name, one in costs.items()}}, "\n".join(lines))
    return 0


def rows(wording: Wording) -> list[dict[str, Any]]:
    """Every text that may be sent, by language."""
    chosen = [choose(wording, locale) for locale in sorted(SHIPPED.keys() | wording.templates.keys())]
    return [{"locale": one.locale, "own": one.is_own, "text": one.template} for one in chosen]


def _judged(locale: str, text: str) -> dict[str, Any]:
    return {
        "locale": locale,
        "text": text,
        "faults": faults(text),
        "advice": advice(text),
        "cost": msgspec.to_builtins(cost_of(text)),
    }


def _told(judged: dict[str, Any]) -> list[str]:
    cost = judged["cost"]
    head = f"{cost['segments']} segment{'s' if cost['segments'] > 1 else ''} in {cost['encoding']}"
    if judged["locale"]:
        head = f"{judged['locale']}: {head}"
    return [head, *(f"  fault: {each}" for each in judged["faults"]), *(f"  note: {each}" for each in judged["advice"])]
