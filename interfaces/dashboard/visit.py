"""Who is looking, at which account, and what a page needs to answer."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LedgerTimeout
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple, cast

from eventsourcing.persistence import InterfaceError, InternalError, OperationalError
from litestar import Request, Response

from application.accounts import Administration
from application.webhooks import Webhooks
from domain.account import Account, Key
from domain.lists import NOTHING
from domain.refusals import InvalidRequest, ServiceUnavailable
from interfaces.dashboard import rendering
from interfaces.dashboard.operators import Operator, Operators
from interfaces.dashboard.passwords import Passwords
from interfaces.dashboard.sessions import Sessions, csrf
from interfaces.dashboard.throttle import Throttle
from interfaces.dashboard.totp import Totp
from interfaces.http import addresses
from interfaces.http.calls import Context
from interfaces.http.desk import Desk, Identity
from interfaces.http.problems import HttpRefusal
from interfaces.webhooks.reach import Reach

_THREADS: Final = ThreadPoolExecutor(4, thread_name_prefix="doneotp-dashboard")


@dataclass(frozen=True, slots=True)
class Office:
    """The parts that the dashboard works with."""

    desk: Desk
    administration: Administration
    operators: Operators
    sessions: Sessions
    totp: Totp
    webhooks: Webhooks
    reach: Reach
    """Where an endpoint may be."""
    passwords: Passwords = field(default_factory=Passwords)
    throttle: Throttle = field(default_factory=Throttle)


class Asked(NamedTuple):
    """What the readers of the API look at in a request."""

    query_params: Mapping[str, str]
    path_params: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """One request of somebody who is signed in. Account, log and role are empty on pages that are of no account."""

    office: Office
    request: Request[Any, Any, Any]
    operator: Operator
    token: str
    form: Mapping[str, str]
    account_id: str = ""
    log: str = ""
    role: str = ""
    account: Account = field(default_factory=Account)
    item: str = ""
    """The last part of the path, below the page: a verification, a month."""
    pages: tuple[tuple[str, str], ...] = ()
    """Path and title of the account's pages that the role may read."""

    @property
    def by(self) -> str:
        """The name that an event carries."""
        return f"dashboard:{self.operator.name}"

    @property
    def is_test(self) -> bool:
        """Whether it is about test keys."""
        return self.log != self.account_id

    def query(self, name: str) -> str:
        """A parameter of the address, or empty."""
        return str(self.request.query_params.get(name) or "")

    def html(self, template: str, *, title: str, status: int = 200, **values: Any) -> Response[bytes]:
        """A page within the frame that all share."""
        return rendering.html(
            template,
            status=status,
            visit=self,
            title=title,
            csrf=csrf(self.token),
            notice=rendering.NOTICES.get(self.query("done"), ""),
            **values,
        )

    def back(self, page: str, done: str) -> Response[bytes]:
        """To a page of this account, which says what was done."""
        return rendering.redirect(f"/dashboard/a/{self.log}/{page}?done={done}")

    def reading(self, *, item: str = "", **query: str) -> Context:
        """The account as the readers of the API take it: what they answer is exact, and is not asked for twice."""
        identity = Identity(
            self.account,
            Key(self.by, "sk_live", self.operator.name, (), self.office.desk.clock.now()),
            "sk_test" if self.is_test else "sk_live",
            self.log,
            addresses.caller(self.request.scope, self.office.desk.trusted_proxies),
            NOTHING,  # readers send nothing, so no list is asked
        )
        asked = Asked(query, {"period": item, "verification_id": item}, {})
        return Context(self.office.desk, cast("Request[Any, Any, Any]", asked), identity, None, "")

    def number(self, name: str, *, most: int) -> int:
        """A whole number from the form; raises InvalidRequest."""
        text = self.form.get(name, "").strip().replace(",", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) <= most):
            raise InvalidRequest(f"{name} must be a whole number up to {most}.")
        return int(text)

    def require(self, *roles: str) -> None:
        """Raises a refusal when the role is another."""
        if self.role not in roles:
            raise HttpRefusal("key_scope_forbidden", f"Your role in this account, {self.role}, may not do this.")


async def in_office(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Something that waits for the database, off the loop; raises ServiceUnavailable when it does not answer."""
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(function, *arguments, **named))
    except (OperationalError, InterfaceError, InternalError, LedgerTimeout):
        raise ServiceUnavailable(retry_after_seconds=1) from None
