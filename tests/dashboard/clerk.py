"""A person at the dashboard, without a browser: keeps the cookie, reads the form's token, says where forms come from."""

import re
from collections.abc import Mapping
from html import unescape
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from interfaces.dashboard.passwords import hashed
from tests.support.server import Server

PASSWORD = "correct horse battery"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Seen(NamedTuple):
    """What came back, as a person reads it."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


class Clerk:
    """One browser."""

    def __init__(self, server: Server, name: str = "") -> None:
        self.server = server
        self.name = name
        self.cookie = ""
        self.csrf = ""

    def get(self, path: str, **headers: str) -> Seen:
        seen = self.send("GET", path, headers=headers)
        found = _CSRF.search(seen.text)
        self.csrf = found[1] if found else self.csrf
        return seen

    def post(self, path: str, /, *, headers: Mapping[str, str] | None = None, **fields: str) -> Seen:
        """A form of a page of ours; `headers` say otherwise."""
        told = {"Sec-Fetch-Site": "same-origin"} if headers is None else dict(headers)
        return self.send("POST", path, urlencode({"csrf": self.csrf} | fields), headers=told)

    def send(self, method: str, path: str, body: str | None = None, *, headers: Mapping[str, str]) -> Seen:
        address = urlsplit(self.server.base_url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
        told = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        told |= {"Cookie": self.cookie} if self.cookie else {}
        connection.request(method, path, body, told | dict(headers))
        answer = connection.getresponse()
        text = unescape(answer.read().decode("utf-8", "replace"))
        received = {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        if "set-cookie" in received:
            self.cookie = received["set-cookie"].partition(";")[0]
        return Seen(answer.status, text, received)

    def sign_in(self, password: str = PASSWORD, code: str = "") -> Seen:
        seen = self.post("/dashboard/login", name=self.name, password=password, code=code)
        if seen.location:
            self.get("/dashboard/me")
        return seen


def hired(
    server: Server, name: str, *, role: str = "operator", account_id: str = "", password: str = PASSWORD
) -> Clerk:
    """A new operator, not signed in yet."""
    operators = server.books.operators
    operators.add(name, role="" if account_id else role)
    if account_id:
        operators.join(name, account_id, role=role)
    operators.set_password(name, hashed(password))
    return Clerk(server, name)


def at_work(server: Server, name: str, *, role: str = "operator", account_id: str = "") -> Clerk:
    """A new operator who came by a link and is signed in."""
    operators = server.books.operators
    operators.add(name, role="" if account_id else role)
    if account_id:
        operators.join(name, account_id, role=role)
    clerk = Clerk(server, name)
    assert clerk.post("/dashboard/login", ticket=server.books.sessions.ticket(name)).status == 303
    clerk.get("/dashboard/me")
    return clerk
