"""Settings and the root secret: what is understood, what is refused and how, and what never shows."""

import hashlib
import os
import pwd
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest

from interfaces import secrets, settings
from interfaces.secrets import SecretUnusable
from interfaces.settings import SETTINGS, Settings, SettingsError
from interfaces.witness.address import WitnessAddress
from tests.support.notes import PETERS, WITNESS
from tests.support.server import ROOT, environment

SECRET = "s3cret-" * 6
NAMES = [setting.name for setting in SETTINGS]


def problems(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        settings.load(environ)
    return refused.value.problems


def test_nothing_has_to_be_set() -> None:
    assert settings.load({"HOME": "/home/ann"}) == Settings(
        home=Path("/home/ann/.local/share/doneotp"),
        database_url=None,
        host="127.0.0.1",
        port=8000,
        ready_file=None,
        secret_key=None,
        trusted_proxies=(),
        sms=("inbox",),
        webhook_secret=None,
        public_url="",
        routes=None,
        twilio_account_sid="",
        twilio_auth_token="",
        twilio_from="",
        twilio_url="https://api.twilio.com",
        vonage_api_key="",
        vonage_api_secret="",
        vonage_signature_secret="",
        vonage_from="",
        vonage_url="https://rest.nexmo.com",
        limits_storage=None,
        env="development",
        log_level="info",
        witnesses=(),
        challenge="pow",
        challenge_secret="",
    )


def test_everything_can_be_set() -> None:
    environ = {
        "DONEOTP_HOME": "/srv/../srv/doneotp",
        "DONEOTP_DATABASE_URL": "postgresql://ann@db.example/doneotp",
        "DONEOTP_HOST": "::",
        "DONEOTP_PORT": "0",
        "DONEOTP_READY_FILE": "/run/ready.json",
        "DONEOTP_SECRET_KEY": f"{SECRET}\n",
        "DONEOTP_TRUSTED_PROXIES": "10.0.0.0/8, fd00::1",
        "DONEOTP_SMS": "twilio, vonage, webhook:https://sms.example/send",
        "DONEOTP_WEBHOOK_SECRET": f"w{SECRET}",
        "DONEOTP_PUBLIC_URL": "https://otp.example/",
        "DONEOTP_ROUTES": "/srv/routes.json",
        "DONEOTP_TWILIO_ACCOUNT_SID": "AC1",
        "DONEOTP_TWILIO_AUTH_TOKEN": "t0ken",
        "DONEOTP_TWILIO_FROM": "MG1",
        "DONEOTP_TWILIO_URL": "https://api.dublin.ie1.twilio.com",
        "DONEOTP_VONAGE_API_KEY": "key",
        "DONEOTP_VONAGE_API_SECRET": "s3cret",
        "DONEOTP_VONAGE_SIGNATURE_SECRET": "s1gns",
        "DONEOTP_VONAGE_FROM": "Acme",
        "DONEOTP_VONAGE_URL": "https://rest.example",
        "DONEOTP_LIMITS_STORAGE": "redis://valkey.example/1",
        "DONEOTP_ENV": "production",
        "DONEOTP_LOG_LEVEL": "debug",
        "DONEOTP_WITNESSES": f"{WITNESS.vkey()}@https://witness.example/w1/",
        "DONEOTP_CHALLENGE": "turnstile:site_1",
        "DONEOTP_CHALLENGE_SECRET": "secret of the site",
    }
    assert set(environ) == set(NAMES)
    assert settings.load(environ) == Settings(
        home=Path("/srv/doneotp"),
        database_url="postgresql://ann@db.example/doneotp",
        host="::",
        port=0,
        ready_file=Path("/run/ready.json"),
        secret_key=SECRET.encode(),
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::1/128")),
        sms=("twilio", "vonage", "webhook:https://sms.example/send"),
        webhook_secret=f"w{SECRET}".encode(),
        public_url="https://otp.example",
        routes=Path("/srv/routes.json"),
        twilio_account_sid="AC1",
        twilio_auth_token="t0ken",
        twilio_from="MG1",
        twilio_url="https://api.dublin.ie1.twilio.com",
        vonage_api_key="key",
        vonage_api_secret="s3cret",
        vonage_signature_secret="s1gns",
        vonage_from="Acme",
        vonage_url="https://rest.example",
        limits_storage="redis://valkey.example/1",
        env="production",
        log_level="debug",
        witnesses=(WitnessAddress(WITNESS, "https://witness.example/w1"),),
        challenge="turnstile:site_1",
        challenge_secret="secret of the site",
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_to_nothing_is_not_set(name: str) -> None:
    assert settings.load({"HOME": "/home/ann", name: ""}) == settings.load({"HOME": "/home/ann"})


@pytest.mark.parametrize("name", NAMES)
def test_every_misspelling_is_refused_with_a_suggestion(name: str) -> None:
    letters = len("DONEOTP_")
    doubled = name[: letters + 1] + name[letters:]
    swapped = name[: letters + 1] + name[letters + 2] + name[letters + 1] + name[letters + 3 :]
    for misspelt in (
        name[:-1],
        f"{name}S",
        doubled,
        swapped,
        name.lower(),
        f"DONEOPT_{name[letters:]}",
        name.replace("_", "", 1),
    ):
        assert problems({"HOME": "/", misspelt: "x"}) == [f"{misspelt} is not a setting; did you mean {name}?"]


def test_a_name_that_is_like_none_of_ours_is_refused_too() -> None:
    assert problems({"HOME": "/", "DONEOTP_QQQQQQQQQ": ""}) == ["DONEOTP_QQQQQQQQQ is not a setting; unset it"]


@pytest.mark.parametrize("name", ["PORT", "HOME", "OTP_PORT", "DATABASE_URL", "SECRET_KEY", "JDONE_HOST"])
def test_what_belongs_to_other_programs_is_theirs(name: str) -> None:
    assert settings.load({"HOME": "/home/ann", name: "/home/ann"}).port == 8000


def test_all_problems_are_told_at_once() -> None:
    environ = {
        "HOME": "/home/ann",
        "DONEOTP_PROT": "1",
        "DONEOTP_PORT": "70000",
        "DONEOTP_SECRET_KEY": "short",
        "DONEOTP_TRUSTED_PROXIES": "10.0.0.0/33",
        "DONEOTP_DATABASE_URL": "mysql://x",
        "DONEOTP_ENV": "production",
        "DONEOTP_LOG_LEVEL": "loud",
    }
    assert problems(environ) == [
        "DONEOTP_PROT is not a setting; did you mean DONEOTP_PORT?",
        "DONEOTP_DATABASE_URL: must be a postgresql:// URL",
        "DONEOTP_PORT: must be 0 to 65535; 0 picks a free port",
        "DONEOTP_SECRET_KEY: must have at least 32 characters; make one with: openssl rand -base64 33",
        "DONEOTP_TRUSTED_PROXIES: must be CIDRs separated by commas, such as 10.0.0.0/8,fd00::/8",
        "DONEOTP_LOG_LEVEL: must be debug, info, warning or error",
        "DONEOTP_SMS is inbox, which production refuses; set DONEOTP_SMS=webhook:<url>",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DONEOTP_PORT", value) for value in ("-1", "65536", "1.5", "٨٠", "0000099999", "9" * 5000, " 80", "http")),
        *(("DONEOTP_SECRET_KEY", value) for value in ("x" * 31, " " * 40, "x" * 31 + "\n\n")),
        *(("DONEOTP_TRUSTED_PROXIES", value) for value in ("localhost", "10.0.0.0/8;10.1.0.0/16", "1.2.3")),
        *(
            ("DONEOTP_SMS", value)
            for value in (
                "sinch",
                "inbox,inbox",
                "webhook:http://a,webhook:http://b",
                "webhook:",
                "webhook:ftp://x",
                "webhook:http://[::1",
                ",",
            )
        ),
        *(("DONEOTP_ENV", value) for value in ("prod", "Production", "development ")),
        *(("DONEOTP_LOG_LEVEL", value) for value in ("INFO", "trace")),
        *(
            ("DONEOTP_WITNESSES", f"{WITNESS.vkey()}{url}")
            for url in ("", "@", "@w.example", "@ftp://w", "@http://w?x")
        ),
        ("DONEOTP_WITNESSES", "https://w.example"),
        ("DONEOTP_WITNESSES", f"{PETERS.vkey()}@https://w.example"),
        ("DONEOTP_WITNESSES", ",".join([f"{WITNESS.vkey()}@https://w.example"] * 2)),
        *(
            ("DONEOTP_DATABASE_URL", value)
            for value in ("host=x", "http://x", "postgresql://u:100%@h/d", "postgresql://[::1/d")
        ),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(name: str, value: str) -> None:
    (problem,) = problems({"HOME": "/home/ann", name: value})
    assert problem.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DONEOTP_SECRET_KEY", "hidden"),
        ("DONEOTP_WEBHOOK_SECRET", "hidden"),
        ("DONEOTP_WEBHOOK_SECRET", "whsec_hidden*" * 3),
        ("DONEOTP_DATABASE_URL", "postgresql://ann:100%hidden@db/x"),
        ("DONEOTP_SMS", "webhook:https://ann:hidden@[sms/"),
    ],
)
def test_a_problem_does_not_repeat_what_may_be_secret(name: str, value: str) -> None:
    (problem,) = problems({"HOME": "/home/ann", name: value})
    assert "hidden" not in problem


def test_a_provider_needs_its_account() -> None:
    assert problems({"HOME": "/", "DONEOTP_SMS": "inbox,twilio,vonage", "DONEOTP_VONAGE_FROM": "Acme"}) == [
        f"DONEOTP_{name} must be set, because DONEOTP_SMS names {name.partition('_')[0].lower()}"
        for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM", "VONAGE_API_KEY", "VONAGE_API_SECRET")
    ]


def test_a_secret_of_bytes_that_are_no_text_is_taken_as_it_is() -> None:
    value = os.fsdecode(b"\xff" * 40)
    assert settings.load({"HOME": "/", "DONEOTP_SECRET_KEY": value}).secret_key == b"\xff" * 40


def test_without_home_it_is_the_password_database_that_knows() -> None:
    home = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local/share/doneotp"
    assert [settings.load(environ).home for environ in ({}, {"HOME": ""})] == [home, home]


def test_a_user_without_any_home_must_say_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)
    assert problems({}) == ["DONEOTP_HOME: must be set: this user has no home directory"]
    assert settings.load({"DONEOTP_HOME": "/srv"}).home == Path("/srv")
    assert settings.sources({})[0] == {
        "name": "DONEOTP_HOME",
        "value": "",
        "source": "default",
        "meaning": "data directory: embedded Postgres, secrets, logs",
    }


def test_no_secret_shows_where_settings_are_shown() -> None:
    environ = {
        "DONEOTP_DATABASE_URL": "postgresql://ann:hidden@db/doneotp",
        "DONEOTP_SECRET_KEY": "hidden" * 6,
        "DONEOTP_WEBHOOK_SECRET": "hidden" * 7,
        "DONEOTP_SMS": "webhook:https://ann:hidden@sms.example:8443/send?token=hidden",
    }
    rows = {row["name"]: (row["value"], row["source"]) for row in settings.sources(environ)}
    assert {name: rows[name] for name in environ} == {
        "DONEOTP_DATABASE_URL": ("set", "environment"),
        "DONEOTP_SECRET_KEY": ("set", "environment"),
        "DONEOTP_WEBHOOK_SECRET": ("set", "environment"),
        "DONEOTP_SMS": ("webhook:https://…@sms.example:8443/send?…", "environment"),
    }
    assert "hidden" not in repr(settings.load(environ))
    unset = [row["value"] for row in settings.sources({}) if row["name"] in environ]
    assert unset == ["unset", "unset", "inbox", "unset"]


# The root secret.


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a" / "home"


def root(home: Path, **environ: str) -> bytes:
    return secrets.root(settings.load({"DONEOTP_HOME": str(home), **environ}))


def test_the_secret_is_made_once_for_its_owner_alone(home: Path) -> None:
    made = root(home)
    (path,) = home.iterdir()
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (home, path)]
    assert (len(made), root(home), path, modes) == (64, made, home / "secret_key", [0o700, 0o600])


def test_the_secret_of_the_environment_is_kept_nowhere(home: Path) -> None:
    assert (root(home, DONEOTP_SECRET_KEY=SECRET), home.exists()) == (SECRET.encode(), False)


def test_a_kept_secret_can_be_moved_to_the_environment(home: Path) -> None:
    made = root(home)
    text = (home / "secret_key").read_text()
    assert root(home / "elsewhere", DONEOTP_SECRET_KEY=text) == made


def test_processes_that_race_agree_on_one_secret(home: Path) -> None:
    program = (
        "import hashlib, sys; from interfaces import secrets, settings; s = settings.current(); sys.stdin.read(1);"
        "print(hashlib.sha256(secrets.root(s)).hexdigest())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    digest = hashlib.sha256((home / "secret_key").read_bytes().strip()).hexdigest()
    assert (said, [path.name for path in home.iterdir()]) == ([digest] * 4, ["secret_key"])


def test_threads_that_race_agree_on_one_secret(tmp_path: Path) -> None:
    for attempt in range(20):
        home = tmp_path / str(attempt)
        barrier = threading.Barrier(4)

        def ask(_: int, *, home: Path = home, barrier: threading.Barrier = barrier) -> bytes:
            barrier.wait()
            return root(home)

        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(ask, range(4)))) == 1
        assert [path.name for path in home.iterdir()] == ["secret_key"]


def test_a_secret_that_others_can_read_is_refused(home: Path) -> None:
    root(home)
    (home / "secret_key").chmod(0o640)
    with pytest.raises(
        SecretUnusable, match=f"{home}/secret_key can be read by others; run: chmod 600 {home}/secret_key"
    ):
        root(home)


def test_a_damaged_secret_is_refused_and_left(home: Path) -> None:
    root(home)
    (home / "secret_key").write_text("cut")
    with pytest.raises(SecretUnusable, match="secret_key is damaged; restore it from a backup"):
        root(home)
    assert (home / "secret_key").read_text() == "cut"


def test_a_lost_secret_is_not_replaced_when_a_database_depends_on_it(home: Path) -> None:
    (home / "postgres").mkdir(parents=True)
    with pytest.raises(
        SecretUnusable, match="secret_key is missing, but the database that depends on it is there; restore it"
    ):
        root(home)
    assert [path.name for path in home.iterdir()] == ["postgres"]


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretUnusable, match=f"{tmp_path}/file/home cannot be used: Not a directory"):
        root(tmp_path / "file" / "home")


@pytest.mark.parametrize("text", ["pow:x", "turnstile", "turnstile:", "recaptcha:x", "hcaptcha:a b"])
def test_a_challenge_is_one_of_three(text: str) -> None:
    assert problems({"HOME": "/home/ann", "DONEOTP_CHALLENGE": text, "DONEOTP_CHALLENGE_SECRET": "x"}) == [
        "DONEOTP_CHALLENGE: must be pow, turnstile:<site key> or hcaptcha:<site key>"
    ]


def test_a_service_needs_the_secret_of_its_site() -> None:
    assert problems({"HOME": "/home/ann", "DONEOTP_CHALLENGE": "hcaptcha:site"}) == [
        "DONEOTP_CHALLENGE names a service; set DONEOTP_CHALLENGE_SECRET to the secret of its site key"
    ]
