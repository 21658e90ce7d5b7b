"""Requests as nobody should send them: good ones, broken in seeded ways."""

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from interfaces.http.app import CALLS

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "PURGE", "REPORT")
OPEN_PATHS = ("/", "/docs", "/healthz", "/readyz", "/metrics", "/openapi.json", "/.well-known/jwks.json", "/inbox")
_NASTY_TEXTS = (
    "",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u200b",
    "😀" * 50,
    "a" * 5_000,
    "1" * 5_000,
    "../../etc/passwd",
    "'; DROP TABLE doneotp.events; --",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "%s%n%x",
    "\r\nX-Injected: 1",
    "+14155552671\n",
    "٤١٥",
    "NaN",
    "null",
)
_NASTY_JSON = (
    b"null",
    b"true",
    b"0",
    b"-0",
    b"1e400",
    b"-1e-400",
    b"1" * 4_000,
    b"-" + b"9" * 4_400,
    b"0." + b"1" * 4_000,
    b"18446744073709551616",
    b"[]",
    b"{}",
    b"[" * 4_000,
    b"[" * 3_000 + b"]" * 3_000,
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"\x00"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b"NaN",
    b"Infinity",
    b"01",
    b"+1",
    b"'x'",
    b"/**/1",
)


class Request(NamedTuple):
    """One request as bytes. `is_framed`: exactly one answer must follow, however bad the content is."""

    method: str
    data: bytes
    is_framed: bool


class Mutator:
    """An endless supply. `keys` are good keys, `numbers`, `ids` and `tokens` things that exist."""

    def __init__(self, seed: int, *, keys: list[str], numbers: list[str], ids: list[str], tokens: list[str]) -> None:
        self._random = random.Random(seed)
        self._keys = keys
        self._numbers = numbers
        self._ids = ids
        self._tokens = tokens
        self._names = [f"fuzz-{number}" for number in range(40)]

    def framed(self) -> Request:
        """A request whose borders are clear, on a path that exists: content and headers are broken."""
        call = self._random.choice(CALLS)
        path = self._path(call.path)
        body = self._body(call.path) if call.method == "POST" else b""
        if self._random.random() < 0.7:
            body = self._spoil(body)
        method = call.method if self._random.random() < 0.95 else self._random.choice(METHODS)
        return Request(method, self._spell(method, path, self._headers(), body), is_framed=True)

    def lost(self) -> Request:
        """A request for some broken path or with some broken parameter; the server may find that it is none at all."""
        known = self._random.choice([call.path for call in CALLS] + list(OPEN_PATHS))
        path = self._spoil_path(self._path(known))
        method = self._random.choice(METHODS)
        return Request(method, self._spell(method, path, self._headers(), b""), is_framed=True)

    def broken(self) -> Request:
        """Bytes that may be no request, or more than one."""
        good = self.framed().data
        way: Callable[[bytes], bytes] = self._random.choice(
            [self._flip, self._cut, self._repeat, self._insert, self._chunk, self._mislead, self._noise]
        )
        return Request("", way(good), is_framed=False)

    def _spell(self, method: str, path: bytes, headers: list[bytes], body: bytes) -> bytes:
        lines = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: " + self._host(), *headers]
        if body or method == "POST":
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def _host(self) -> bytes:
        return self._random.choice(
            [b"localhost", b"127.0.0.1:1", b"[::1]:9", b"[", b"x.example", b"a/b?c", b"\xff", b""]
        )

    def _path(self, template: str) -> bytes:
        return template.replace("{verification_id:str}", self._random.choice([*self._ids, "ver_x"])).encode()

    def _body(self, path: str) -> bytes:
        bodies: dict[str, dict[str, Any]] = {
            "/v1/verify/send": {"phone_number": self._pick(self._numbers)},
            "/v1/verify/check": {
                "phone_number": self._pick(self._numbers),
                "code": f"{self._random.randrange(10**6):06}",
            },
            "/v1/verify/validate-token": {"token": self._pick(self._tokens)},
            "/v1/test/clock/advance": {"seconds": self._random.randrange(1, 90)},
        }
        body = bodies.get(path, {})
        if path == "/v1/verify/send" and self._random.random() < 0.5:
            body |= {
                "locale": "de",
                "client_ip": "203.0.113.9",
                "metadata": {"order": self._random.choice(["A-1", 1, 1.5, None, True])},
                "web_origin": "shop.example",
                "app_hash": "FA+9qCX9VSu",
            }
        if path == "/v1/verify/check" and self._random.random() < 0.5:
            body["verification_id"] = self._pick(self._ids)
        return json.dumps(body).encode()

    def _headers(self) -> list[bytes]:
        headers = [b"Authorization: Bearer " + self._pick(self._keys).encode()]
        if self._random.random() < 0.4:
            headers.append(b"Idempotency-Key: " + self._pick(self._names).encode())
        if self._random.random() < 0.5:
            name = self._pick(
                ["Content-Type", "Accept", "Origin", "X-Forwarded-For", "Authorization", "Idempotency-Key", "Cookie"]
            )
            headers.append(name.encode() + b": " + self._visible(self._random.randrange(60)))
        if self._random.random() < 0.1:
            headers.append(
                self._pick_bytes([b"X-Long: " + b"a" * 8_000, b"A: b\r\n" * 100 + b"A: b", b"Cookie: ;;=;=\xff"])
            )
        if self._random.random() < 0.1:
            self._random.shuffle(headers)
            headers.pop()
        return headers

    def _visible(self, length: int) -> bytes:
        """Bytes that may be in a header's value."""
        return bytes(self._random.choice((9, 32, *range(0x21, 0x7F), *range(0x80, 0x100))) for _ in range(length))

    def _spoil(self, body: bytes) -> bytes:
        ways = [self._flip, self._cut, self._repeat, self._insert, self._other_value, self._twice, self._noise]
        for _ in range(self._random.choice([1, 1, 1, 2, 5])):
            body = self._random.choice(ways)(body)
        return body[:20_000]

    def _spoil_path(self, path: bytes) -> bytes:
        nasty = quote(self._pick([text for text in _NASTY_TEXTS if len(text) < 1_000]).encode(errors="surrogatepass"))
        query = self._pick(["at", "position", "cursor", "limit", "after", "to", "x", "code"])
        return self._pick_bytes(
            [
                path + b"/" + nasty.encode(),
                path + f"?{query}={nasty}".encode(),
                path + f"?{query}={self._random.randrange(-(10**20), 10**20)}".encode(),
                path + b"?" + b"&".join([f"{query}={nasty}".encode()] * self._random.randrange(1, 200)),
                path
                + b"?"
                + self._pick_bytes([b"&&&", b"=", b"%", b"%zz", b"a=%ff%fe", b"[]", b";", b"?" * 50, b"at"]),
                path.replace(b"/", b"//", 1),
                path + b"/..%2f..%2f",
                path.upper(),
                path + b"%00",
                path[: self._random.randrange(1, len(path) + 1)],
                b"/errors/" + nasty.encode(),
                b"/inbox/latest?to=" + nasty.encode(),
                b"/inbox/messages?limit=1&after=" + nasty.encode(),
                b"/assets/" + nasty.encode(),
                b"*",
                b"http://evil.example" + path,
            ]
        )

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._random.choice([1, 1, 2, 8])):
            if changed:
                changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _cut(self, data: bytes) -> bytes:
        begin, end = sorted(self._random.randrange(len(data) + 1) for _ in range(2))
        return data[:begin] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        begin, end = sorted(self._random.randrange(len(data) + 1) for _ in range(2))
        return data[:end] + data[begin:end] * self._random.choice([1, 2, 20]) + data[end:]

    def _insert(self, data: bytes) -> bytes:
        at = self._random.randrange(len(data) + 1)
        nasty = self._pick(list(_NASTY_TEXTS)).encode(errors="surrogatepass")
        return data[:at] + nasty + data[at:]

    def _noise(self, data: bytes) -> bytes:
        return self._random.randbytes(self._random.choice([1, 10, 100, 1_000]))

    def _other_value(self, body: bytes) -> bytes:
        """One value of a JSON object is something else."""
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            return body
        if not isinstance(parsed, dict) or not parsed:
            return self._pick_bytes(list(_NASTY_JSON))
        chosen = self._random.choice(list(parsed))
        if self._random.random() < 0.3:
            text = self._pick(list(_NASTY_TEXTS))
            return json.dumps(parsed | {chosen: text}, ensure_ascii=self._random.random() < 0.5).encode(
                errors="surrogatepass"
            )
        parts = [
            json.dumps(name).encode()
            + b":"
            + (self._pick_bytes(list(_NASTY_JSON)) if name == chosen else _spelled(value))
            for name, value in parsed.items()
        ]
        return b"{" + b",".join(parts) + b"}"

    def _twice(self, body: bytes) -> bytes:
        """A name comes twice, with another value."""
        name = self._pick(["phone_number", "code", "token", "metadata", "seconds", "unknown"]).encode()
        return body.rstrip(b"}") + b',"' + name + b'":' + self._pick_bytes(list(_NASTY_JSON)) + b"}"

    def _chunk(self, data: bytes) -> bytes:
        """The same body in chunks that are more or less good."""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        sizes = [b"%x", b"%X;a=b", b"0%x", b"-%x", b"%xg", b" %x", b"ffffffffffffffff%x"]
        size = self._pick_bytes(sizes if self._random.random() < 0.5 else sizes[:1]) % len(body)
        end = self._pick_bytes(
            [b"0\r\n\r\n", b"0\r\n", b"", b"0\r\nX: y\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n"]
        )
        return (
            b"\r\n".join([*lines, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n" + size + b"\r\n" + body + b"\r\n" + end
        )

    def _mislead(self, data: bytes) -> bytes:
        """One more header that says something else about where the request ends, or what follows."""
        more = self._pick_bytes(
            [
                b"Content-Length: 1",
                b"Content-Length: 99999999999999999999",
                b"Content-Length: -1",
                b"Transfer-Encoding: chunked",
                b"Transfer-Encoding: gzip, chunked",
                b"Transfer-Encoding: xchunked",
                b"Expect: 100-continue",
                b"Upgrade: websocket\r\nConnection: Upgrade",
                b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
                b"Connection: close",
                b"Connection: keep-alive, content-length",
                b" folded: yes",
                b"X\x00: y",
                b"X: \x00",
                b"X: a\rb",
                b"X: a\nY: b",
                b": empty",
            ]
        )
        line, _, rest = data.partition(b"\r\n")
        return line + b"\r\n" + more + b"\r\n" + rest

    def _pick(self, choices: list[str]) -> str:
        return self._random.choice(choices)

    def _pick_bytes(self, choices: list[bytes]) -> bytes:
        return self._random.choice(choices)


def _spelled(value: Any) -> bytes:
    return json.dumps(value).encode()
