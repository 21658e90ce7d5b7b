"""The served description of the API is OpenAPI 3.1, and the server does what it says: Schemathesis tries to show otherwise."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from tests.http.customer import Customer
from tests.support.server import ROOT, Server

EXAMPLES = 15
SECONDS_MAX = 240
# Every check of Schemathesis but the one that tests.support.conformance has in its place, by the meaning of a 400.
CHECKS = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")
# It warns that most texts it makes up are no phone numbers that exist, or no codes that were sent. They are not.
QUIET = ("--warnings", "off", "--no-color")


class Examined(NamedTuple):
    """How an examination ended, and the report."""

    status: int
    report: str


@pytest.fixture
def examine(server: Server, tmp_path: Path) -> Callable[..., Examined]:
    """Let Schemathesis try a document, the served one unless told, on the server with a key."""

    def run(key: str, *options: str, document: dict[str, Any] | None = None) -> Examined:
        place = f"{server.base_url}/openapi.json"
        if document is not None:
            place = str(tmp_path / "openapi.json")
            Path(place).write_text(json.dumps(document))
        program = [sys.executable, "-m", "schemathesis.cli", "run", place, "--url", server.base_url]
        settings = ["--header", f"Authorization: Bearer {key}", "--generation-deterministic"]
        done = subprocess.run(
            [*program, *settings, *CHECKS, *QUIET, *options],
            capture_output=True,
            text=True,
            cwd=tmp_path,  # it leaves files where it runs
            env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.support.conformance"},
            timeout=SECONDS_MAX,
        )
        return Examined(done.returncode, done.stdout + done.stderr)

    return run


def test_it_is_an_openapi_document(server: Server) -> None:
    served = server.get("/openapi.json").body
    assert served["openapi"].startswith("3.1.")
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(served)] == []
    served["paths"]["/v1/balance"]["get"]["responses"]["200"].pop("description")
    assert not OPENAPI_31_VALIDATOR.is_valid(served)


@pytest.mark.parametrize("kind", ["sk_test", "pk_test"])
def test_no_check_of_schemathesis_finds_a_difference(
    customer: Customer, examine: Callable[..., Examined], kind: str
) -> None:
    status, report = examine(customer.keys[kind], "--max-examples", str(EXAMPLES))
    assert (status, "No issues found" in report) == (0, True), report


def spoil(document: dict[str, Any]) -> dict[str, str]:
    """Make the document untrue in one place per operation; returns what Schemathesis has to say of each."""
    paths, schemas = document["paths"], document["components"]["schemas"]
    del paths["/v1/verifications"]["get"]["responses"]["400"]
    schemas["CheckRequest"]["properties"]["code"] = {"type": "string", "enum": ["letters"]}
    schemas["Balance"]["properties"]["available"] = {"type": "string"}
    absent = {"required": True, "schema": {"type": "string"}}
    paths["/v1/events"]["get"]["responses"]["200"]["headers"] = {"X-Absent": absent}
    refused = paths["/v1/verify/validate-token"]["post"]["responses"]["400"]
    refused["content"] = {"text/plain": refused["content"]["application/problem+json"]}
    schemas["AdvanceClockRequest"]["properties"]["seconds"]["maximum"] = 100
    paths["/v1/test/scenarios"]["get"]["security"] = [{"secret_key": []}]
    return {
        "GET /v1/verifications": "Undocumented status code",
        "POST /v1/verify/check": "Schema-valid request rejected",
        "GET /v1/balance": "Response violates schema",
        "GET /v1/events": "Missing required response headers",
        "POST /v1/verify/validate-token": "Undocumented Content-Type",
        "POST /v1/test/clock/advance": "Schema-violating request accepted",
        "GET /v1/test/scenarios": "API accepts requests without authentication",
    }


def test_a_document_that_is_not_true_is_found_out(customer: Customer, examine: Callable[..., Examined]) -> None:
    document = customer.server.get("/openapi.json").body
    untrue = spoil(document)
    status, report = examine(customer.keys["sk_test"], "--phases", "coverage", document=document)
    sections = re.split(r"^_{3,} (.+) _{3,}$", report, flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    missed = {name: title for name, title in untrue.items() if title not in found.get(name, "")}
    assert (status, missed, set(found)) == (1, {}, set(untrue)), report
