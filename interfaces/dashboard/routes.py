"""The addresses of the dashboard. Whatever is refused becomes a page that says so in words."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from application.accounts import ReadAccount
from domain.keys import account_of
from domain.refusals import Refusal, StateConflict
from interfaces.dashboard import door, login, rendering
from interfaces.dashboard.pages import accounts, me, people
from interfaces.dashboard.pages.table import PAGES, Page, Show
from interfaces.dashboard.visit import Office, Visit
from interfaces.http.problems import KINDS, HttpRefusal
from interfaces.http.public import asset

_Asked = Request[Any, Any, Any]
_ALONE = {"accounts": accounts.page, "me": me.page, "people": people.page}
_ALONE_ACTS = {"accounts": accounts.ACTS, "me": me.ACTS, "people": people.ACTS}


def routes(office: Office) -> tuple[HTTPRouteHandler, ...]:
    """The handlers."""
    return (*_doors(office), *_rooms(office))


def _doors(office: Office) -> tuple[HTTPRouteHandler, ...]:
    @get("/dashboard", include_in_schema=False)
    async def home(request: _Asked) -> Response[bytes]:
        async def begin() -> Response[bytes]:
            return await accounts.first(Visit(office, request, await door.operator(office, request), "", {}))

        return await _answered(request, begin)

    @get("/dashboard/login", include_in_schema=False)
    async def login_page(request: _Asked) -> Response[bytes]:
        async def shown() -> Response[bytes]:
            return login.page(office, request)

        return await _answered(request, shown)

    @post("/dashboard/login", include_in_schema=False, status_code=200)
    async def sign_in(request: _Asked) -> Response[bytes]:
        return await _answered(request, lambda: login.sign_in(office, request))

    @post("/dashboard/logout", include_in_schema=False, status_code=200)
    async def sign_out(request: _Asked) -> Response[bytes]:
        return await _answered(request, lambda: login.sign_out(office, request))

    @get("/dashboard/assets/dashboard.css", include_in_schema=False)
    async def style() -> Response[bytes]:
        return asset("dashboard/dashboard.css", "text/css")

    return (home, login_page, sign_in, sign_out, style)


def _rooms(office: Office) -> tuple[HTTPRouteHandler, ...]:
    @get("/dashboard/{name:str}", include_in_schema=False)
    async def alone(request: _Asked) -> Response[bytes]:
        async def shown() -> Response[bytes]:
            visit = await _visit(office, request)
            show: Show = _named(_ALONE, request.path_params["name"])
            return await show(visit)

        return await _answered(request, shown)

    @post("/dashboard/{name:str}/{act:str}", include_in_schema=False, status_code=200)
    async def act_alone(request: _Asked) -> Response[bytes]:
        async def done() -> Response[bytes]:
            acts = _named(_ALONE_ACTS, request.path_params["name"])
            visit = await _visit(office, request, posted=True)
            act: Show = _named(acts, request.path_params["act"])
            return await act(visit)

        return await _answered(request, done)

    @get(["/dashboard/a/{log:str}/{name:str}", "/dashboard/a/{log:str}/{name:str}/{item:str}"], include_in_schema=False)
    async def of_account(request: _Asked) -> Response[bytes]:
        async def shown() -> Response[bytes]:
            visit, page = await _at(office, request, posted=False)
            return await page.show(visit)

        return await _answered(request, shown)

    @post("/dashboard/a/{log:str}/{name:str}/{act:str}", include_in_schema=False, status_code=200)
    async def act_in_account(request: _Asked) -> Response[bytes]:
        async def done() -> Response[bytes]:
            visit, page = await _at(office, request, posted=True)
            roles, act = page.act(request.path_params["act"])
            visit.require(*roles)
            return await act(visit)

        return await _answered(request, done)

    return (alone, act_alone, of_account, act_in_account)


async def _visit(office: Office, request: _Asked, *, posted: bool = False, **more: Any) -> Visit:
    operator = more.pop("operator", None) or await door.operator(office, request)
    fields = await door.form(office, request, session=True) if posted else {}
    return Visit(office, request, operator, door.token(office, request), fields, **more)


async def _at(office: Office, request: _Asked, *, posted: bool) -> tuple[Visit, Page]:
    """The account in the address, for those who may see it; others learn nothing about whether there is one."""
    operator = await door.operator(office, request)
    parameters = request.path_params
    log = parameters["log"]
    account_id = account_of(log)
    role = operator.role_in(account_id)
    page = next((page for page in PAGES if page.name == parameters["name"]), None)
    if not role or page is None or not log.startswith("acct_"):
        raise HttpRefusal("not_found", "There is no such page.")
    try:
        account = await office.desk.writer.ask(ReadAccount(account_id))
    except StateConflict:
        raise HttpRefusal("not_found", "There is no such page.") from None
    visit = await _visit(
        office,
        request,
        posted=posted,
        operator=operator,
        account_id=account_id,
        log=log,
        role=role,
        account=account,
        item=parameters.get("item", ""),
        pages=tuple((one.name, one.title) for one in PAGES if one.title and role in one.roles),
    )
    visit.require(*page.roles)
    return visit, page


def _named(table: Any, name: str) -> Any:
    if name not in table:
        raise HttpRefusal("not_found", "There is no such page.")
    return table[name]


async def _answered(request: _Asked, work: Callable[[], Awaitable[Response[bytes]]]) -> Response[bytes]:
    request.scope["state"]["route"] = "/dashboard"
    try:
        return await work()
    except door.SignedOut:
        wanted = door.ours(request.scope["path"]) if request.method == "GET" else "/dashboard"
        return rendering.redirect("/dashboard/login" + (f"?next={wanted}" if wanted != "/dashboard" else ""))
    except Refusal as refusal:
        status = KINDS[refusal.code].status
        answer = rendering.html("error.html", status=status, title=KINDS[refusal.code].title, detail=refusal.detail)
        if refusal.retry_after_seconds is not None:
            answer.headers["retry-after"] = str(refusal.retry_after_seconds)
        return answer
