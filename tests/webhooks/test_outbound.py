"""One post: certificates are believed as the machine believes them, and whoever drags it out costs us a bounded time."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from interfaces.webhooks.outbound import Outbound, Outcome
from interfaces.webhooks.reach import Reach
from interfaces.world import SystemClock
from tests.support.customer_hook import Hook, hooked


def certificate(directory: Path, host: str) -> Path:
    """A certificate that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{host}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


def post(url: str, **how: Any) -> Outcome:
    async def once() -> Outcome:
        async with Outbound(Reach(allows_local=True), **{"seconds_max": 5, **how}) as outbound:
            return await outbound.post(url, headers={}, body=b"{}")

    return asyncio.run(once())


def secured(hook: Hook, path: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    hook.socket = context.wrap_socket(hook.socket, server_side=True, do_handshake_on_connect=False)
    return f"https://localhost:{hook.port}/hook"


@pytest.mark.parametrize("host", ["localhost", "other.example"])
def test_a_certificate_must_be_believed_and_be_of_the_host(tmp_path, host):
    path = certificate(tmp_path, host)
    trust = ssl.create_default_context(cafile=str(path))
    with hooked() as hook:
        url = secured(hook, path)
        believed, unknown = post(url, trust=trust), post(url)
        assert (unknown.error, believed.error) == ("tls_failed", "" if host == "localhost" else "tls_failed")
        assert len(hook.got) == (1 if host == "localhost" else 0)


def test_a_name_server_that_never_answers_is_a_timeout():
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(3_600)
        return []

    assert post("https://shop.example/", resolve=never, seconds_max=0.2).error == "timeout"


def test_a_name_that_nobody_knows_is_not_posted_to():
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    async def nothing(host: str, port: int) -> Sequence[str]:
        return []

    errors = [post("https://shop.example/", resolve=resolve).error for resolve in (unknown, nothing)]
    assert errors[0] == "name_unknown"
    assert errors[1] in ("name_unknown", "connect_failed")


class Raw:
    """Answers with these bytes, and then with more of them for as long as anybody listens."""

    def __init__(self, first: bytes, then: bytes = b"") -> None:
        self._first, self._then = first, then
        self.sent = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with self._socket, connection:
            try:
                connection.recv(65_536)
                connection.sendall(self._first)
                while self._then:
                    connection.sendall(self._then)
                    self.sent += len(self._then)
                    time.sleep(0.001)
            except OSError:
                return


def test_an_answer_without_end_is_not_read():
    raw = Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n", b"x" * 65_536)
    outcome = post(raw.url)
    assert (outcome.status, outcome.error) == (200, "")
    assert raw.sent < 64 * 1024 * 1024


def test_a_head_that_drips_is_a_timeout_and_one_that_is_huge_is_no_answer():
    assert post(Raw(b"HTTP/1.1 200 OK\r\nx: ", b"y").url, seconds_max=0.5).error in ("timeout", "invalid_answer")
    assert post(Raw(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 1_000_000 + b"\r\n\r\n").url).status is None
    assert post(Raw(b"SSH-2.0-OpenSSH\r\n").url).error == "invalid_answer"
    assert post(Raw(b"\r\n").url).status is None
