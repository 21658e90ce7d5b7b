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


def test_an_operator_gets_another_role_while_signed_in(server: Server) -> None:
    account = server.open_account().account_id
    for words in (("add", "yve", "--role", "biller", "--account", account, "--password"), ("add", "yul")):
        assert said(server, *words, given=f"{PASSWORD}\n").status == 0
    clerk, page = Clerk(server, "yve"), f"/dashboard/a/{account}/keys"
    assert (clerk.sign_in().status, clerk.get(page).status) == (303, 403)
    done = said(server, "role", "yve", "auditor", "--account", account)
    assert (done.stdout, clerk.get(page).status) == (f"yve is auditor in {account}\n", 200)
    assert json.loads(said(server, "role", "yul", "biller", "--json").stdout) == {
        "name": "yul",
        "role": "biller",
        "account_id": None,
    }
    listed = json.loads(said(server, "list", "--json").stdout)["operators"]
    assert {one["name"]: (one["role"], one["accounts"]) for one in listed if one["name"] in ("yve", "yul")} == {
        "yve": (None, {account: "auditor"}),
        "yul": ("biller", {}),
    }
    absent = (("role", "nobody", "auditor"), ("role", "yul", "auditor", "--account", account))
    assert [said(server, *words).status for words in (*absent, ("role", "yul", "king"))] == [1, 1, 2]
