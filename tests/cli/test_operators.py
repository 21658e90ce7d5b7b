"""`operators`: who uses the dashboard, from the command line, with passwords from standard input alone."""

import json
import subprocess
import sys

from tests.dashboard.clerk import PASSWORD, Clerk
from tests.support.server import ROOT, Ended, Server


def said(server: Server, *words: str, given: str = "") -> Ended:
    command = [sys.executable, "-m", "interfaces.cli", "operators", *words]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=server.environment, input=given, timeout=120
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_an_operator_is_added_signs_in_and_is_removed(server: Server) -> None:
    assert said(server, "add", "zoe", "--role", "auditor", "--password", given="short\n").status == 1
    assert said(server, "add", "zoe", "--role", "auditor", "--password", given=f"{PASSWORD}\n").status == 0
    clerk = Clerk(server, "zoe")
    assert clerk.sign_in().status == 303
    listed = json.loads(said(server, "list", "--json").stdout)["operators"]
    zoe = {"name": "zoe", "role": "auditor", "accounts": {}, "has_password": True, "has_totp": False}
    assert [one for one in listed if one["name"] == "zoe"] == [zoe]
    link = said(server, "link", "zoe").stdout.strip().rpartition("ticket=")[2]
    assert Clerk(server).post("/dashboard/login", ticket=link).status == 303
    assert said(server, "remove", "zoe").status == 0
    assert (clerk.get("/dashboard/me").status, clerk.sign_in().status) == (303, 403)
