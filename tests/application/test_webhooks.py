"""Endpoints through a running writer, and the secrets that are derived for them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from application.accounts import Administration
from application.webhooks import Signers, Webhooks
from domain.events import WebhookEndpointAdded, WebhookEndpointRemoved, WebhookSecretRotated
from domain.refusals import StateConflict
from domain.webhooks import Endpoint
from tests.application.world import Process, events
from tests.support.clock import NOON
from tests.support.memory import MemoryLogRecorder

URL = "https://shop.example/hooks"


@pytest.fixture
def home() -> Process:
    return Process(MemoryLogRecorder())


@pytest.fixture
def office(home: Process) -> Iterator[Webhooks]:
    home.writer.start()
    yield Webhooks(home.writer, home.keyring, home.entropy, timeout_seconds=10)
    home.writer.close()


@pytest.fixture
def log(home: Process, office: Webhooks) -> str:
    return Administration(home.writer, home.keyring, home.entropy).open_account(name="A", credits=0, by="t").account_id


def add(office: Webhooks, log: str) -> Endpoint:
    return office.add(log, url=URL, types=("verification.*",), by="cli:ann")


def public(signers: Signers) -> list[bytes]:
    return [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in signers.keys]


def test_an_endpoint_is_in_the_log_and_its_secrets_are_nowhere(home, office, log):
    endpoint = add(office, log)
    assert endpoint == Endpoint(id=endpoint.id, url=URL, types=("verification.*",), added_at=NOON)
    assert events(home.recorder, log)[-1] == WebhookEndpointAdded(
        at=NOON, endpoint_id=endpoint.id, url=URL, types=("verification.*",), by="cli:ann"
    )
    (secret,) = office.signers(log, endpoint, now=NOON).secrets
    stored = b"".join(record.state for record in home.recorder.select_log(log, after=0, limit=100))
    assert len(secret) == 32
    assert secret.hex().encode() not in stored
    assert secret not in stored


def test_every_endpoint_log_and_number_has_secrets_of_its_own(home, office, log):
    numbers = (1, 2)
    made = [
        Signers.of(home.keyring, where, which, numbers=numbers)
        for where in (log, log + "-test")
        for which in ("we_a", "we_b")
    ]
    assert len({secret for signers in made for secret in signers.secrets}) == 8
    assert len({key for signers in made for key in public(signers)}) == 8
    assert public(Signers.of(home.keyring, log, "we_a", numbers=numbers)) == public(made[0])


def test_a_rotated_secret_signs_first_and_the_last_one_until_the_overlap_is_over(home, office, log):
    first = add(office, log)
    (old,) = office.signers(log, first, now=NOON).secrets
    rotated = office.rotate(log, endpoint_id=first.id, overlap=timedelta(hours=2), by="cli:ann")
    until = NOON + timedelta(hours=2)
    assert events(home.recorder, log)[-1] == WebhookSecretRotated(
        at=NOON, endpoint_id=first.id, secret_number=2, previous_until=until, by="cli:ann"
    )
    assert rotated == replace(first, secret_number=2, previous_until=until)
    both = office.signers(log, rotated, now=NOON).secrets
    assert (len(both), both[1]) == (2, old)
    assert office.signers(log, rotated, now=until).secrets == both[:1]


def test_disabling_enabling_and_removing_are_facts_once(home, office, log):
    endpoint = add(office, log)
    say = {"endpoint_id": endpoint.id, "by": "cli:ann"}
    assert office.disable(log, reason="gone", **say)
    assert not office.disable(log, reason="gone", **say)
    assert office.endpoint(log, endpoint.id).disabled == "gone"
    assert office.enable(log, **say)
    assert not office.enable(log, **say)
    office.remove(log, **say)
    assert events(home.recorder, log)[-1] == WebhookEndpointRemoved(at=NOON, **say)
    assert office.endpoints(log) == ()
    with pytest.raises(StateConflict):
        office.endpoint(log, endpoint.id)


@pytest.mark.parametrize("log", ["acct_nobody", "nonsense"])
def test_there_are_no_endpoints_without_an_account(office, log):
    with pytest.raises(StateConflict, match="no such account"):
        office.endpoints(log)
    with pytest.raises(StateConflict, match="no such account"):
        add(office, log)
