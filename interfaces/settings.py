"""Every setting, from the environment alone. One table says what each is; a misspelt name is an error, not a surprise."""

import difflib
import os
import pwd
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from interfaces.sms.base_address import checked_base
from interfaces.sms.webhook_address import checked_url, read_secret
from interfaces.witness.address import WitnessAddress

SECRET_LENGTH_MIN: Final = 32
WITNESSES_MAX: Final = 16
_PREFIX: Final = "DONEOTP_"
_WEBHOOK: Final = "webhook:"
_CARRIERS: Final[dict[str, tuple[str, ...]]] = {
    "inbox": (),
    "twilio": ("twilio_account_sid", "twilio_auth_token", "twilio_from"),
    "vonage": ("vonage_api_key", "vonage_api_secret", "vonage_from"),
}
"""Providers, each with the settings that it cannot do without."""
_LIKENESS_MIN: Final = 0.9
"""From here on a foreign name counts as one of ours gone wrong, such as DONEOPT_PORT."""


class SettingsError(Exception):
    """Settings that cannot be used; `problems` has a sentence for each, with its fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says, checked."""

    home: Path
    database_url: str | None
    host: str
    port: int
    ready_file: Path | None
    secret_key: bytes | None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    sms: tuple[str, ...]
    webhook_secret: bytes | None
    public_url: str
    routes: Path | None
    twilio_account_sid: str
    twilio_auth_token: str
    twilio_from: str
    twilio_url: str
    vonage_api_key: str
    vonage_api_secret: str
    vonage_signature_secret: str
    vonage_from: str
    vonage_url: str
    limits_storage: str | None
    env: Literal["development", "production"]
    log_level: str
    witnesses: tuple[WitnessAddress, ...]
    challenge: str
    challenge_secret: str

    def __repr__(self) -> str:
        """Without what must not get into a log."""
        return f"Settings(home={str(self.home)!r})"


class Setting(msgspec.Struct, frozen=True):
    """One variable: its field, what it is without being set, what it means, and how it is read."""

    name: str
    field: str
    default: str
    meaning: str
    read: Callable[[str], Any]
    is_secret: bool = False
    show: Callable[[str], str] = str


def _text(text: str) -> str:
    return text


def _home(text: str) -> Path:
    if not text:
        raise ValueError("must be set: this user has no home directory")
    return _path(text)


def _path(text: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111 - resolve() would follow links


def _optional_path(text: str) -> Path | None:
    return _path(text) if text else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535):
        raise ValueError("must be 0 to 65535; 0 picks a free port")
    return int(text)


def _secret(text: str) -> bytes | None:
    if not text:
        return None
    # Read as the kept file is: whoever moves it into the environment must not get another key by a line break.
    secret = os.fsencode(text).strip()
    if len(secret) < SECRET_LENGTH_MIN:
        raise ValueError(f"must have at least {SECRET_LENGTH_MIN} characters; make one with: openssl rand -base64 33")
    return secret


def _webhook_secret(text: str) -> bytes | None:
    return None if _secret(text) is None else read_secret(text.strip())


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be CIDRs separated by commas, such as 10.0.0.0/8,fd00::/8") from None


def _providers(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if name.startswith(_WEBHOOK):
            checked_url(name.removeprefix(_WEBHOOK))
        elif name not in _CARRIERS:
            raise ValueError("must be inbox, webhook:<http or https URL>, twilio or vonage, or several of them")
    if not names or len({name.partition(":")[0] for name in names}) != len(names):
        raise ValueError("must name one provider, or several different ones: inbox, webhook:<url>, twilio, vonage")
    return names


def _shown_provider(text: str) -> str:
    """Without what may be a password: the user and the query of a webhook's address."""
    try:
        _providers(text)
    except ValueError:
        return "…"
    return ",".join(_shown_name(part.strip()) for part in text.split(",") if part.strip())


def _shown_name(text: str) -> str:
    if not text.startswith(_WEBHOOK):
        return text
    url = urlsplit(text.removeprefix(_WEBHOOK))
    user, _, host = url.netloc.rpartition("@")
    return _WEBHOOK + url._replace(netloc=f"…@{host}" if user else host, query="…" if url.query else "").geturl()


def _base(text: str) -> str:
    return checked_base(text) if text else ""


def _limits_storage(text: str) -> str | None:
    if not text:
        return None
    if not text.startswith(("redis://", "rediss://")):
        raise ValueError("must be the address of a Redis or Valkey, such as redis://host:6379/0")
    if find_spec("redis") is None:
        raise ValueError("needs the package redis, which is not installed: .venv/bin/pip install redis")
    return text


def _environment(text: str) -> str:
    if text not in ("development", "production"):
        raise ValueError("must be development or production")
    return text


def _level(text: str) -> str:
    if text not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return text


def _challenge(text: str) -> str:
    if re.fullmatch(r"pow|(turnstile|hcaptcha):[A-Za-z0-9_-]{1,100}", text) is None:
        raise ValueError("must be pow, turnstile:<site key> or hcaptcha:<site key>")
    return text


def _challenge_secret(text: str) -> str:
    if not (text.isascii() and text.isprintable() and len(text) <= 200):
        raise ValueError("must be the secret that belongs to the site key")
    return text


def _witnesses(text: str) -> tuple[WitnessAddress, ...]:
    found = tuple(WitnessAddress.parse(part) for part in text.split(",") if part.strip())
    if len({witness.verifier.vkey() for witness in found}) != len(found) or len(found) > WITNESSES_MAX:
        raise ValueError(f"must name each witness once, and at most {WITNESSES_MAX}")
    return found


def _database(text: str) -> str | None:
    if not text:
        return None
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must be a postgresql:// URL")
    try:
        conninfo_to_dict(text)
    except psycopg.Error:
        # What libpq says may hold a piece of the password.
        raise ValueError(
            "is not an address that Postgres' own client understands; percent-encode what is special in its password"
        ) from None
    return text


SETTINGS: Final = (
    Setting("DONEOTP_HOME", "home", "", "data directory: embedded Postgres, secrets, logs", _home),
    Setting(
        "DONEOTP_DATABASE_URL",
        "database_url",
        "",
        "any Postgres 15 or later; embedded when unset",
        _database,
        is_secret=True,
    ),
    Setting("DONEOTP_HOST", "host", "127.0.0.1", "address to listen on", _text),
    Setting("DONEOTP_PORT", "port", "8000", "port to listen on; 0 picks a free one", _port),
    Setting(
        "DONEOTP_READY_FILE", "ready_file", "", "serve writes a JSON document here once it answers", _optional_path
    ),
    Setting(
        "DONEOTP_SECRET_KEY",
        "secret_key",
        "",
        "root of the code, index and token keys; made on first start and kept in DONEOTP_HOME when unset",
        _secret,
        is_secret=True,
    ),
    Setting("DONEOTP_TRUSTED_PROXIES", "trusted_proxies", "", "CIDRs whose X-Forwarded-For is believed", _networks),
    Setting(
        "DONEOTP_SMS",
        "sms",
        "inbox",
        "providers for live keys in order of preference, separated by commas: inbox, webhook:<url>, twilio, vonage",
        _providers,
        show=_shown_provider,
    ),
    Setting(
        "DONEOTP_WEBHOOK_SECRET",
        "webhook_secret",
        "",
        "signs messages to a webhook provider, may begin with whsec_; derived from the secret key when unset",
        _webhook_secret,
        is_secret=True,
    ),
    Setting(
        "DONEOTP_PUBLIC_URL",
        "public_url",
        "",
        "where the internet reaches this server, such as https://otp.example.com: providers report there",
        _base,
    ),
    Setting(
        "DONEOTP_ROUTES",
        "routes",
        "",
        "JSON file of providers by prefix, country or *; in the order of DONEOTP_SMS when unset",
        _optional_path,
    ),
    Setting("DONEOTP_TWILIO_ACCOUNT_SID", "twilio_account_sid", "", "Twilio: the account (AC…)", _text),
    Setting(
        "DONEOTP_TWILIO_AUTH_TOKEN",
        "twilio_auth_token",
        "",
        "Twilio: its auth token; also checks what it reports",
        _text,
        is_secret=True,
    ),
    Setting("DONEOTP_TWILIO_FROM", "twilio_from", "", "Twilio: the sender, a number, a name or a service (MG…)", _text),
    Setting(
        "DONEOTP_TWILIO_URL", "twilio_url", "https://api.twilio.com", "Twilio: its address, of another region", _base
    ),
    Setting("DONEOTP_VONAGE_API_KEY", "vonage_api_key", "", "Vonage: the key of the account", _text),
    Setting(
        "DONEOTP_VONAGE_API_SECRET", "vonage_api_secret", "", "Vonage: the secret of the key", _text, is_secret=True
    ),
    Setting(
        "DONEOTP_VONAGE_SIGNATURE_SECRET",
        "vonage_signature_secret",
        "",
        "Vonage: checks what it reports, signed by HMAC-SHA-256; without it no report is taken",
        _text,
        is_secret=True,
    ),
    Setting("DONEOTP_VONAGE_FROM", "vonage_from", "", "Vonage: the sender, a number or a name", _text),
    Setting("DONEOTP_VONAGE_URL", "vonage_url", "https://rest.nexmo.com", "Vonage: its address", _base),
    Setting(
        "DONEOTP_LIMITS_STORAGE",
        "limits_storage",
        "",
        "a Redis or Valkey where processes share the counts of rate limits; each has its own in memory when unset",
        _limits_storage,
        is_secret=True,
    ),
    Setting(
        "DONEOTP_ENV",
        "env",
        "development",
        "production has no inbox and refuses it as provider for live keys",
        _environment,
    ),
    Setting("DONEOTP_LOG_LEVEL", "log_level", "info", "least severe lines to log: debug, info, warning, error", _level),
    Setting(
        "DONEOTP_WITNESSES",
        "witnesses",
        "",
        "witnesses that are asked to cosign checkpoints: <vkey>@<url>, separated by commas",
        _witnesses,
    ),
    Setting(
        "DONEOTP_CHALLENGE",
        "challenge",
        "pow",
        "what public keys solve when the fraud guard asks: pow, turnstile:<site key>, hcaptcha:<site key>",
        _challenge,
    ),
    Setting(
        "DONEOTP_CHALLENGE_SECRET",
        "challenge_secret",
        "",
        "the secret that belongs to the site key of turnstile or hcaptcha",
        _challenge_secret,
        is_secret=True,
    ),
)

_NAMES: Final = tuple(setting.name for setting in SETTINGS)


def load(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`; raises SettingsError with every problem at once."""
    problems: list[str] = []
    for name in sorted(environ):
        if _is_misspelt(name):
            near = difflib.get_close_matches(name.upper(), _NAMES, n=1)
            problems.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "; unset it"))
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environ.get(setting.name) or _default(setting, environ)
        try:
            values[setting.field] = setting.read(text)
        except ValueError as error:
            problems.append(f"{setting.name}: {error}")
    if values.get("env") == "production" and "inbox" in values.get("sms", ()):
        problems.append("DONEOTP_SMS is inbox, which production refuses; set DONEOTP_SMS=webhook:<url>")
    if values.get("challenge", "pow") != "pow" and not values.get("challenge_secret", "-"):
        problems.append("DONEOTP_CHALLENGE names a service; set DONEOTP_CHALLENGE_SECRET to the secret of its site key")
    problems += _missing(values)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _missing(values: Mapping[str, Any]) -> list[str]:
    """What the providers that are named cannot do without."""
    needed = {field for name in values.get("sms", ()) for field in _CARRIERS.get(name, ())}
    return [
        f"{setting.name} must be set, because DONEOTP_SMS names {setting.field.partition('_')[0]}"
        for setting in SETTINGS
        if setting.field in needed and values.get(setting.field) == ""
    ]


def sources(environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Every setting with its value and where it came from; of secrets only whether they are set."""
    rows = []
    for setting in SETTINGS:
        given = environ.get(setting.name, "")
        value = setting.show(given or _default(setting, environ))
        if setting.is_secret:
            value = "set" if given else "unset"
        source = "environment" if given else "default"
        rows.append({"name": setting.name, "value": value, "source": source, "meaning": setting.meaning})
    return rows


def _is_misspelt(name: str) -> bool:
    if name in _NAMES:
        return False
    capitals = name.upper()
    if capitals.startswith(_PREFIX):
        return True
    return bool(difflib.get_close_matches(capitals, _NAMES, n=1, cutoff=_LIKENESS_MIN))


def _default(setting: Setting, environ: Mapping[str, str]) -> str:
    if setting.field != "home":
        return setting.default
    try:
        user_home = environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
    return str(Path(user_home) / ".local/share/doneotp")


def current() -> Settings:
    """The settings of this process; raises SettingsError."""
    return load(os.environ)
