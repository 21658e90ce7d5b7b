"""The container set-up: that it asks for every secret, names real settings, and runs without rights."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE)["services"][name]
    return found


def test_no_secret_has_a_default() -> None:
    values = service("postgres")["environment"] | service("server")["environment"]
    secrets = {name: value for name, value in values.items() if re.search("KEY|PASSWORD", name)}
    assert sorted(secrets) == ["DONEOTP_SECRET_KEY", "PGPASSWORD", "POSTGRES_PASSWORD"]
    assert [value for value in secrets.values() if not re.fullmatch(r"\$\{\w+:\?.+\}", value)] == []


def test_postgres_keeps_its_data_in_a_volume_where_18_puts_it() -> None:
    database = service("postgres")
    assert (database["image"], database["volumes"]) == ("postgres:18", ["postgres:/var/lib/postgresql"])


def test_the_server_waits_for_a_healthy_database_and_has_no_rights() -> None:
    server = service("server")
    rights = (server["cap_drop"], server["security_opt"], server["read_only"])
    assert server["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert rights == (["ALL"], ["no-new-privileges:true"], True)
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, flags=re.MULTILINE) == ["doneotp"]


def test_the_image_holds_what_the_docker_file_copies() -> None:
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, flags=re.MULTILINE) for name in line.split()}
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == let_through
    assert [name for name in copied if not (ROOT / name).exists()] == []
