"""Where a customer's URL may lead us: addresses of the internet, and never inside, however it is spelled or resolved."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address, ip_address

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from interfaces.webhooks.outbound import Outbound, Outcome
from interfaces.webhooks.reach import Reach, is_public

INSIDE_V4 = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.254"),
    *("127.0.0.1", "127.1.2.3", "127.255.255.254", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.254"),
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.254", "198.18.0.1"),
    *("198.19.255.254", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    "168.63.129.16",
]
INSIDE_V6 = [
    *("::", "::1", "::2", "fe80::1", "fe80::1%lo", "febf::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fec0::1"),
    *("ff02::1", "ff0e::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1"),
    *("2002:7f00:1::1", "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "5f00::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("2600::5efe:7f00:1", "2600::200:5efe:a00:1", "4000::1", "8000::1", "e000::1", "1::1"),
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "100.63.0.1"]
NAMES = [
    *(
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ip6-localhost",
        "internal.corp",
        "metadata.google.internal",
        "db",
        "a.b",
    ),
    *("127.0.0.1.nip.example", "wildcard.localtest.example", "printer.local", "kubernetes.default.svc"),
    *(
        "localhost.localdomain",
        "vault",
        "consul.service.consul",
        "host.docker.internal",
        "postgres",
        "intranet",
        "a" * 63 + ".b",
    ),
]


def test_every_range_inside_is_denied_and_the_internet_is_not():
    assert [text for text in (*INSIDE_V4, *INSIDE_V6, "", "nonsense", "8.8.8.8.8", "0x7f.1") if is_public(text)] == []
    assert [text for text in OUTSIDE if not is_public(text)] == []


class Listener:
    """Something inside, on both loopbacks: it counts who comes."""

    def __init__(self) -> None:
        self.came = 0
        self._sockets = [socket.socket(socket.AF_INET), socket.socket(socket.AF_INET6)]
        self._sockets[0].bind(("127.0.0.1", 0))
        self.port = int(self._sockets[0].getsockname()[1])
        self._sockets[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._sockets[1].bind(("::1", self.port))
        for listening in self._sockets:
            listening.listen(64)
            threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.came += 1
            connection.close()

    def close(self) -> None:
        for listening in self._sockets:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    inside = Listener()
    yield inside
    inside.close()


def corpus(port: int) -> list[str]:
    """Spellings of places inside, by address, by odd numbers, by name, with tricks in every part of a URL."""
    hosts = [*INSIDE_V4, *(f"[{text}]" for text in INSIDE_V6), *NAMES]
    hosts += [f"[::ffff:{text}]" for text in INSIDE_V4] + [f"[64:ff9b::{text}]" for text in INSIDE_V4]
    for text in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1"):
        number, parts = int(ip_address(text)), [int(part) for part in text.split(".")]
        hosts += [
            *(str(number), hex(number), f"0{number:o}", str(number + 2**32), f"0x{number:08X}"),
            ".".join(f"0{part:o}" for part in parts),
            ".".join(hex(part) for part in parts),
            ".".join(f"{part:03}" for part in parts),
            f"{parts[0]}.{number & 0xFFFFFF}",
            f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
            f"{text}.",
            text.replace(".", "。"),
            text.translate(str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")),
            f"[{IPv6Address((0x2002 << 112) | (number << 80)).compressed}]",
            f"[::{text}]",
        ]
    urls = [f"https://{host}:{port}/" for host in hosts] + [f"http://{host}:{port}/" for host in hosts[:40]]
    for inside in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        urls += [
            *(
                f"https://shop.example@{inside}/",
                f"https://{inside}@shop.example:x/",
                f"https://{inside}#@shop.example/",
            ),
            *(f"https://{inside}\\@shop.example/", f"https://{inside}%2f@shop.example/", f"https:{inside}/"),
            *(
                f"https:///{inside}/",
                f"//{inside}/",
                f"https://{inside}\t/",
                f" https://{inside}/",
                f"https://\x00{inside}/",
            ),
            *(f"gopher://{inside}/_x", f"ftp://{inside}/", f"file:///etc/passwd#{inside}", f"HTTPS://{inside}/?a=b"),
            *(
                f"https://{inside}/%0d%0aHost:%20x",
                f"https://{inside}/\r\nHost: x",
                f"dict://{inside}/",
                f"ws://{inside}/",
            ),
            *(f"unix://{inside}/", f"https://user:pw@{inside}/", f"https://{inside}/../..//", f"https://[{inside}]/"),
        ]
    return urls


async def resolved_inside(host: str, port: int) -> Sequence[str]:
    """What an attacker's name server says: every name is at home here."""
    return ["127.0.0.1", "::1"]


async def system(host: str, port: int) -> Sequence[str]:
    """As the machine itself reads numbers, which is not as we do."""
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in rows]


def post_all(urls: Sequence[str], outbound: Outbound) -> list[Outcome]:
    async def together() -> list[Outcome]:
        async with outbound:
            return await asyncio.gather(*(outbound.post(url, headers={}, body=b"{}") for url in urls))

    return asyncio.run(together())


@pytest.mark.parametrize("resolve", [resolved_inside, system])
def test_three_hundred_hostile_urls_reach_nobody_inside(listener, resolve):
    urls = corpus(listener.port)
    assert len(set(urls)) >= 300
    outcomes = post_all(urls, Outbound(Reach(allows_local=False), resolve=resolve, seconds_max=5))
    taken = [url for url, outcome in zip(urls, outcomes, strict=True) if outcome.is_taken or outcome.status is not None]
    assert (taken, listener.came) == ([], 0)
    assert {outcome.error for outcome in outcomes} <= {
        *("invalid_url", "not_https", "port_denied", "address_denied", "name_unknown", "invalid_answer"),
    }


def test_that_corpus_leads_inside_where_nobody_looks(listener):
    """The negative control: a plain session, on the same URLs."""

    class Inside(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
            return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

        async def close(self) -> None:
            """Nothing is held."""

    async def plainly() -> None:
        connector = aiohttp.TCPConnector(resolver=Inside(), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=2)) as session:
            for name in NAMES:
                try:
                    await session.post(f"http://{name}:{listener.port}/", data=b"{}")
                except (aiohttp.ClientError, OSError):
                    continue

    asyncio.run(plainly())
    assert listener.came >= len(NAMES)


class Rebinding:
    """A name server that shows a public address to who looks first, and one inside to whoever comes after."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return ["93.184.216.34"] if self.asked == 1 else ["127.0.0.1"]


class Remembered(AbstractResolver):
    """A resolver as sessions have it, on top of a name server."""

    def __init__(self, names: Rebinding) -> None:
        self._names = names

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        (address,) = await self._names(host, port)
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""


def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_looked_at(listener):
    names, dialled = Rebinding(), []

    class Dialled(Outbound):
        def _socket(self, found):
            dialled.append(found[4][0])
            super()._socket(found).close()
            raise OSError("nobody leaves this test")

    (outcome,) = post_all(
        [f"https://rebind.example:{listener.port}/"], Dialled(Reach(allows_local=False), resolve=names, seconds_max=5)
    )
    assert (outcome.error, set(dialled), names.asked, listener.came) == ("connect_failed", {"93.184.216.34"}, 1, 0)


def test_that_looking_first_and_then_connecting_to_the_name_leads_inside(listener):
    """The negative control: the check is the same, but the address that was looked at is not the one connected to."""

    async def unpinned() -> None:
        names = Rebinding()
        looked = await names("rebind.example", listener.port)
        assert all(is_public(address) for address in looked)
        connector = aiohttp.TCPConnector(resolver=Remembered(names), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.ClientError):
                await session.post(f"http://rebind.example:{listener.port}/", data=b"{}")

    asyncio.run(unpinned())
    assert listener.came == 1


def test_one_address_inside_denies_a_name_whatever_its_others_are(listener):
    async def both(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "127.0.0.1"]

    (outcome,) = post_all(
        [f"https://both.example:{listener.port}/"], Outbound(Reach(allows_local=False), resolve=both, seconds_max=5)
    )
    assert (outcome.status, outcome.error, listener.came) == (None, "address_denied", 0)


def test_the_socket_looks_once_more(listener):
    """A library that would connect elsewhere than to what it was told is stopped at the door."""
    outbound = Outbound(Reach(allows_local=False))
    with pytest.raises(OSError, match="address_denied"):
        outbound._socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", listener.port)))


@pytest.mark.parametrize("port", [1, 22, 25, 80, 1_023])
def test_ports_of_other_services_are_denied(port):
    (outcome,) = post_all([f"https://shop.example:{port}/"], Outbound(Reach(allows_local=False)))
    assert outcome.error == "port_denied"


def test_development_reaches_this_machine_by_its_plain_names_only(listener):
    urls = [f"http://{host}:{listener.port}/" for host in ("127.0.0.1", "localhost", "[::1]")]
    outcomes = post_all(urls, Outbound(Reach(allows_local=True), seconds_max=5))
    assert [outcome.error for outcome in outcomes] == ["connection_lost"] * 3
    came = listener.came
    others = [f"https://{host}:{listener.port}/" for host in ("rebind.example", "127.0.0.2", "10.0.0.1")]
    others.append(f"http://rebind.example:{listener.port}/")
    outcomes = post_all(others, Outbound(Reach(allows_local=True), resolve=resolved_inside, seconds_max=5))
    assert [outcome.error for outcome in outcomes] == ["address_denied"] * 3 + ["not_https"]
    assert listener.came == came
