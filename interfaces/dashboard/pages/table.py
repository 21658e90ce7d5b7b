"""The pages of an account: path, title, who reads them, what they show, and what is done on them by whom."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from litestar import Response

from interfaces.dashboard.pages import (
    credits,
    keys,
    lists,
    overview,
    policy,
    statements,
    trail,
    verifications,
    webhooks,
)
from interfaces.dashboard.visit import Visit
from interfaces.http.problems import HttpRefusal

Show = Callable[[Visit], Awaitable[Response[bytes]]]


class Page(NamedTuple):
    """One of them: `/dashboard/a/<log>/<name>`, and what is below it. What has no title is in no menu."""

    name: str
    title: str
    roles: tuple[str, ...]
    show: Show
    acts: Mapping[str, tuple[tuple[str, ...], Show]]
    """By the last part of the path: the roles that may, and what is done."""

    def act(self, name: str) -> tuple[tuple[str, ...], Show]:
        """One of them; raises not_found."""
        if name not in self.acts:
            raise HttpRefusal("not_found", "There is no such page.")
        return self.acts[name]


_ALL: Final = ("operator", "biller", "auditor")
_NOT_BILLING: Final = ("operator", "auditor")
_BILLING: Final = ("operator", "biller")
_OPERATOR: Final = ("operator",)
PAGES: Final = (
    Page("overview", "Overview", _ALL, overview.page, {}),
    Page(
        "verifications",
        "Verifications",
        _NOT_BILLING,
        verifications.page,
        {"search": (_NOT_BILLING, verifications.search)},
    ),
    Page(
        "keys", "Keys", _NOT_BILLING, keys.page, {"issue": (_OPERATOR, keys.issue), "revoke": (_OPERATOR, keys.revoke)}
    ),
    Page(
        "webhooks",
        "Webhooks",
        _NOT_BILLING,
        webhooks.page,
        {name: (_OPERATOR, do) for name, do in webhooks.ACTS.items()},
    ),
    Page("lists", "Lists", _NOT_BILLING, lists.page, {name: (_OPERATOR, do) for name, do in lists.ACTS.items()}),
    Page("trail", "Audit trail", _NOT_BILLING, trail.page, {}),
    Page("story", "", _NOT_BILLING, trail.story, {}),
    Page("event", "", _NOT_BILLING, trail.event, {}),
    Page("receipt", "", _NOT_BILLING, trail.receipt, {}),
    Page("credits", "Credits", _ALL, credits.page, {"add": (_BILLING, credits.add)}),
    Page("statements", "Statements", _ALL, statements.page, {"close": (_BILLING, statements.close)}),
    Page(
        "policy",
        "Policy",
        _NOT_BILLING,
        policy.page,
        {
            "set": (_OPERATOR, policy.set_),
            "suspend": (_OPERATOR, policy.suspend),
            "resume": (_OPERATOR, policy.resume),
        },
    ),
)
