"""The inbox page in a real browser, under the strictest policy that its files allow."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

from interfaces.sms.inbox import Inbox, InboxMessage

FILES = Path(__file__).resolve().parents[2] / "interfaces" / "web" / "inbox"
pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium: apt-get install chromium")
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'"


def entry(to: str, *, code: str, text: str, segments: int = 1) -> InboxMessage:
    return InboxMessage(
        to=to,
        text=text,
        code=code,
        verification_id="ver_1",
        segments=segments,
        encoding="GSM-7",
        at=datetime(2026, 11, 3, 9, 30, tzinfo=UTC),
        account="acct_abcd****",
    )


def file(name: str, kind: str) -> web.Response:
    headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff"}
    return web.Response(text=(FILES / name).read_text(), content_type=kind, charset="utf-8", headers=headers)


@asynccontextmanager
async def served(inbox: Inbox) -> AsyncIterator[str]:
    async def page(request: web.Request) -> web.StreamResponse:
        return file("inbox.html", "text/html")

    async def script(request: web.Request) -> web.StreamResponse:
        return file("inbox.js", "text/javascript")

    async def style(request: web.Request) -> web.StreamResponse:
        return file("inbox.css", "text/css")

    async def messages(request: web.Request) -> web.StreamResponse:
        found, cursor = await inbox.messages(request.query["after"], int(request.query["limit"]))
        body = msgspec.json.encode({"messages": found, "cursor": cursor})
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/inbox", page)
    app.router.add_get("/inbox/assets/inbox.js", script)
    app.router.add_get("/inbox/assets/inbox.css", style)
    app.router.add_get("/inbox/messages", messages)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/inbox"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(url: str, complaints: list[str]) -> AsyncIterator[Page]:
    chromium = shutil.which("chromium")
    assert chromium is not None, "the browser tests need chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        yield page
        await browser.close()


async def shown(page: Page) -> list[str]:
    items = page.locator("#messages li:not([hidden])")
    return [" ".join(text.split()) for text in await items.all_inner_texts()]


async def stated(page: Page, sentence: str) -> None:
    await page.get_by_text(sentence, exact=True).wait_for(timeout=10_000)


def test_the_page_shows_messages_as_they_come_as_text_newest_first_and_finds_them() -> None:
    markup = "<b>123456</b> <img src=x onerror=alert(1)>"

    async def act() -> tuple[list[list[str]], list[str]]:
        inbox = Inbox()
        complaints: list[str] = []
        seen = []
        async with served(inbox) as url, opened(url, complaints) as page:
            await stated(page, "Waiting for the first message.")
            inbox.put(entry("+14155552671", code="111111", text="111111 is your verification code."))
            await stated(page, "1 message.")
            inbox.put(entry("+905321232719", code="123456", text=markup, segments=2))
            await stated(page, "2 messages.")
            await page.evaluate("document.querySelectorAll('time').forEach(time => time.remove())")
            seen.append(await shown(page))
            await page.get_by_label("Search").fill(" 0999 ")
            await stated(page, "0 of 2 messages.")
            await page.get_by_label("Search").fill("VERIFICATION")
            await stated(page, "1 of 2 messages.")
            seen.append(await shown(page))
        return seen, complaints

    first = "+14155552671 111111 is your verification code. Code 111111 GSM-7 1 segment acct_abcd****"
    second = f"+905321232719 {markup} Code 123456 GSM-7 2 segments acct_abcd****"
    assert asyncio.run(act()) == ([[second, first], [first]], [])
