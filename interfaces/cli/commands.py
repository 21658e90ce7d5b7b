"""Every command in one table: its words, what it does, its handler (imported when it is called), its arguments."""

from argparse import SUPPRESS, ArgumentTypeError
from collections.abc import Callable
from typing import Any


class Argument:
    """One `add_argument` call of argparse."""

    def __init__(self, *names: str, **options: Any) -> None:
        self.names = names
        self.options = options


class Command:
    """`words` are what is typed; `handler` is `module:function` below `interfaces.cli`, called with the parsed arguments."""

    def __init__(self, words: str, does: str, handler: str, *arguments: Argument, passes_on: str = "") -> None:
        self.words = words
        self.does = does
        self.handler = f"interfaces.cli.{handler}"
        self.arguments = arguments
        self.passes_on = passes_on  # the program that gets all arguments which are not ours


def whole_number(*, least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:20]) <= most):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return number


def change(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


CREDITS_MAX = 10**15  # sums of many such still fit Postgres' 64-bit integers
WORKERS_MAX = 64
CLIENTS_MAX = 1024
VIEWS = ("balances", "usage", "activity", "verifications", "charges")
FORMATS = ("csv", "jsonl", "json", "pdf", "focus")
KEY_KINDS = ("sk_live", "pk_live", "sk_test", "pk_test")
ACCOUNT = Argument("account", metavar="ACCOUNT", help="the account's id, acct_…")
LISTING_ACCOUNT = Argument(
    "account", metavar="ACCOUNT", help="the account's id, acct_…, or `installation`: its lists hold for all accounts"
)
LISTED = (
    LISTING_ACCOUNT,
    Argument("kind", choices=("ip", "number", "prefix", "country", "origin", "type"), help="what the values are"),
    Argument(
        "values", metavar="VALUE", nargs="+", help="192.0.2.0/24, +14155552671, +1415, TR, https://shop.example, voip"
    ),
)
BUNDLE = Argument("directory", metavar="DIR", help="the bundle, as `audit export` wrote it")
VKEY = Argument(
    "--vkey", metavar="FILE", help="the log's keys as you know them, one vkey a line (default: those in the bundle)"
)

TEST_SIDE = Argument("--test", action="store_true", help="of the account's test keys instead")
PERIOD = Argument("--period", metavar="P", required=True, help="a month, UTC, such as 2026-11")
TREE_SIZE = Argument(
    "--tree-size",
    metavar="N",
    type=whole_number(least=1, most=10**15),
    help="as of the first N events of the account's log (default: all that is sealed)",
)

OPERATOR = Argument("operator", metavar="NAME", help="the operator's name")
ROLES = ("operator", "biller", "auditor")
ENDPOINT = Argument("endpoint", metavar="ENDPOINT", help="the endpoint's id, we_…")
MODE = Argument("--mode", choices=("live", "test"), default="live", help="of live or of test keys (default: live)")

LOCALE = Argument("--locale", metavar="L", help="the language of --text, such as de, pt-BR or zh-Hant")
LOCALE_REQUIRED = Argument("--locale", metavar="L", required=True, help="a language, such as de, pt-BR or zh-Hant")
COUNTRY = Argument("country", metavar="COUNTRY", help="two capital letters, such as TR, or '*' for all not named")

GROUPS = {
    "accounts": "open accounts and look after them",
    "credits": "add credits to an account",
    "keys": "issue and revoke an account's API keys",
    "operators": "people who use the dashboard",
    "lists": "who may call, and which numbers, prefixes, countries, kinds and pages are allowed or blocked",
    "policy": "read and change the rules an account lives by",
    "guard": "what the fraud guard has shut, and what it would have",
    "audit": "prove the ledger, and check what others prove",
    "billing": "statements of what an account's messages cost, month by month",
    "ratecards": "what a message costs an account, by country",
    "templates": "what messages say, by language, and what that costs",
    "senders": "whom messages come from, by country",
    "webhooks": "post an account's events to endpoints of its own, and see what became of them",
    "projections": "look at the views and build them again",
    "verifications": "answer why a verification went as it did",
}

COMMANDS = (
    Command(
        "serve",
        "run everything on this machine: database, HTTP API, dispatcher, projections",
        "start:run",
        Argument(
            "--workers",
            metavar="N",
            type=whole_number(least=1, most=WORKERS_MAX),
            default=1,
            help="processes that serve HTTP (default: 1)",
        ),
        Argument("--noop", action="store_true", help=SUPPRESS),  # a route that does nothing, for bench
    ),
    Command(
        "accounts open",
        "open an account; prints its id and its four keys, once",
        "accounts:open_",
        Argument("--name", metavar="NAME", required=True, help="what people call the account"),
        Argument(
            "--credits",
            metavar="C",
            type=whole_number(least=0, most=CREDITS_MAX),
            default=0,
            help="credits to begin with (default: 0)",
        ),
    ),
    Command("accounts list", "list the accounts", "accounts:list_"),
    Command("accounts show", "show one account: its state, balance and keys", "accounts:show", ACCOUNT),
    Command(
        "accounts suspend",
        "refuse an account's requests until it is resumed",
        "accounts:suspend",
        ACCOUNT,
        Argument("--reason", metavar="REASON", default="by the operator", help="why; kept in the ledger"),
    ),
    Command("accounts resume", "end a suspension", "accounts:resume", ACCOUNT),
    Command(
        "credits add",
        "add credits to an account",
        "credits:add",
        ACCOUNT,
        Argument("amount", metavar="AMOUNT", type=whole_number(least=1, most=CREDITS_MAX), help="how many credits"),
        Argument("--reference", metavar="R", required=True, help="your invoice or order; kept in the ledger"),
    ),
    Command(
        "verifications show",
        "show what became of a verification, event by event, and why",
        "verifications:show",
        ACCOUNT,
        Argument("verification", metavar="VERIFICATION", help="its id, ver_…"),
    ),
    Command(
        "explain",
        "say what a message to a verification's number would come to now, rule by rule; sends and records nothing",
        "explain:run",
        ACCOUNT,
        Argument("verification", metavar="VERIFICATION", nargs="?", default="", help="its id, ver_…"),
        Argument("--number", action="store_true", help="instead: a number, read from standard input"),
        Argument("--test", action="store_true", help="with --number: as test keys would send to it"),
    ),
    Command(
        "keys issue",
        "issue one more key; prints it, once",
        "keys:issue",
        ACCOUNT,
        Argument("--kind", choices=KEY_KINDS, default="sk_live", help="secret (sk) or publishable (pk), live or test"),
        Argument("--name", metavar="NAME", default="", help="where the key will be used"),
        Argument(
            "--origin",
            metavar="O",
            action="append",
            default=[],
            dest="origins",
            help="web origin a publishable key may be used from, https://shop.example; repeat for more",
        ),
    ),
    Command(
        "keys revoke",
        "revoke a key: requests with it are refused from now on",
        "keys:revoke",
        ACCOUNT,
        Argument("key_id", metavar="KEY_ID", help="the key's id as `keys list` shows it"),
    ),
    Command(
        "keys restrict",
        "give a key another name, or other origins in place of those it has; what is not named stays",
        "keys:restrict",
        ACCOUNT,
        Argument("key_id", metavar="KEY_ID", help="the key's id as `keys list` shows it"),
        Argument("--name", metavar="NAME", help="where the key is used"),
        Argument(
            "--origin",
            metavar="O",
            action="append",
            default=[],
            dest="origins",
            help="web origin a publishable key may be used from, https://shop.example; repeat for more",
        ),
    ),
    Command(
        "keys list", "list an account's keys and their last recorded use, without their secrets", "keys:list_", ACCOUNT
    ),
    Command(
        "operators add",
        "add an operator of the dashboard, or make one a member of an account; reads a password from stdin with --password",
        "operators:add",
        OPERATOR,
        Argument("--role", choices=ROLES, default="operator", help="what the operator may do (default: operator)"),
        Argument("--account", metavar="ACCOUNT", default="", help="in this account alone (default: in all)"),
        Argument("--password", action="store_true", help="read a password: a prompt, or one line of standard input"),
    ),
    Command("operators list", "list the operators and what they may do where", "operators:list_"),
    Command(
        "operators role",
        "give an operator another role; who is signed in has it with the next request",
        "operators:role",
        OPERATOR,
        Argument("role", metavar="ROLE", choices=ROLES, help="operator, biller or auditor"),
        Argument("--account", metavar="ACCOUNT", default="", help="in this account alone (default: in all)"),
    ),
    Command(
        "operators remove",
        "remove an operator and end all sessions, or a membership",
        "operators:remove",
        OPERATOR,
        Argument("--account", metavar="ACCOUNT", default="", help="from this account alone"),
    ),
    Command(
        "operators passwd",
        "set an operator's password (a prompt, or one line of standard input); ends all sessions",
        "operators:passwd",
        OPERATOR,
        Argument("--no-totp", action="store_true", help="take away the second factor as well"),
    ),
    Command(
        "operators link",
        "print a link that signs an operator in, once, within 15 minutes",
        "operators:link",
        OPERATOR,
        Argument("--base-url", metavar="URL", default="", help="where the dashboard is (default: this host and port)"),
    ),
    Command("lists allow", "allow what is named; allowing some excludes all others", "lists:allow", *LISTED),
    Command("lists block", "block what is named, whatever is allowed", "lists:block", *LISTED),
    Command("lists remove", "take what is named off the lists", "lists:remove", *LISTED),
    Command("lists show", "show the lists of an account", "lists:show", LISTING_ACCOUNT),
    Command(
        "lists import",
        "put the entries of a CSV file on the lists: effect,kind,value",
        "list_plans:import_",
        LISTING_ACCOUNT,
        Argument(
            "file", metavar="FILE", help="its first line is effect,kind,value; an effect is allow, block or remove"
        ),
        Argument("--dry-run", action="store_true", help="only say what it would change"),
    ),
    Command(
        "lists try",
        "say what a rule would have refused, and who of those had verified; from the ledger, changes nothing",
        "list_plans:try_",
        ACCOUNT,
        Argument("effect", choices=("allow", "block"), help="what the rule does"),
        *LISTED[1:],
        Argument(
            "--days",
            metavar="N",
            type=whole_number(least=1, most=3_650),
            default=30,
            help="over how many days up to now (default: 30)",
        ),
    ),
    Command("policy show", "show an account's policy", "policy:show", ACCOUNT),
    Command(
        "policy set",
        "change an account's policy",
        "policy:set_",
        ACCOUNT,
        Argument("changes", metavar="NAME=VALUE", type=change, nargs="+", help="`policy show` lists the names"),
    ),
    Command(
        "audit export",
        "write a bundle that anybody can check without us",
        "sealed:export",
        Argument("directory", metavar="DIR", help="a directory that is empty or not there yet"),
        Argument(
            "--account", metavar="ACCT", help="only the logs of this account, and that they are in the log of all"
        ),
    ),
    Command(
        "audit verify",
        "check a bundle's signatures and trees and the ledger's invariants; needs no database and no network",
        "audit:verify",
        BUNDLE,
        Argument(
            "--checkpoint",
            metavar="FILE",
            action="append",
            default=[],
            help="a checkpoint kept from before, of the log or of one account; repeat for more",
        ),
        VKEY,
    ),
    Command(
        "audit replay", "recompute balances, usage and statements from a bundle's events alone", "audit:replay", BUNDLE
    ),
    Command(
        "audit prove",
        "write the receipt of an event: that it is in its account's log, and that log in the log of all",
        "sealed:prove",
        Argument("event_id", metavar="EVENT_ID", help="the event's id, as GET /v1/events shows it"),
        Argument("--out", metavar="FILE", default="", help="write it here (default: stdout)"),
    ),
    Command("audit keys", "list the keys that sign or signed checkpoints, newest first", "sealed:keys"),
    Command("audit rotate-key", "sign with a new key from now on, beside the last one", "sealed:rotate_key"),
    Command(
        "audit checkpoint",
        "print the signed checkpoint of the log, or of a bundle after checking its signature",
        "audit:checkpoint",
        Argument("directory", metavar="DIR", nargs="?", help="a bundle (default: the log of this installation)"),
        VKEY,
    ),
    Command("audit tool", "build doneotp-audit.pyz: verify, replay and checkpoint in one file", "audit:tool"),
    Command(
        "witness",
        "cosign the checkpoints of logs, for whoever asks (C2SP tlog-witness), or of a log that it follows",
        "witness:run",
        Argument(
            "--log",
            metavar="VKEY",
            action="append",
            required=True,
            help="a log's key, or a file of keys, as /v1/audit/vkey serves it; repeat for more",
        ),
        Argument("--state", metavar="DIR", required=True, help="where its key and what it cosigned are kept"),
        Argument("--name", metavar="NAME", default="", help="what its key is called, given on the first start"),
        Argument("--follow", metavar="URL", default="", help="look at the log at this address by itself"),
        Argument("--host", metavar="HOST", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"),
        Argument(
            "--port",
            metavar="PORT",
            type=whole_number(least=0, most=65_535),
            help="port to listen on (default: a free one; with --follow none)",
        ),
    ),
    Command(
        "billing statement",
        "write the statement of a month",
        "billing:statement",
        ACCOUNT,
        PERIOD,
        Argument("--format", choices=FORMATS, default="csv", help="default: csv"),
        Argument("--out", metavar="FILE", default="", help="write it here (default: stdout)"),
        TREE_SIZE,
    ),
    Command(
        "billing close",
        "fix a month's statements for ever, and those of the months before it that are open",
        "billing:close",
        Argument("account", metavar="ACCOUNT", nargs="?", help="the account's id (default: all accounts)"),
        PERIOD,
        Argument(
            "--grace-hours",
            metavar="H",
            type=whole_number(least=0, most=10_000),
            default=24,
            help="how long after the month's end it may be closed (default: 24)",
        ),
    ),
    Command(
        "billing explain",
        "list the events behind a line of a statement",
        "billing:explain",
        Argument("line", metavar="LINE", help="the line's name, its last cell in the CSV"),
        TREE_SIZE,
    ),
    Command(
        "billing periods", "list an account's months: balances, credits, open or closed", "billing:periods", ACCOUNT
    ),
    Command(
        "guard show",
        "show what the fraud guard has shut or asks a challenge for, and why",
        "guard:show",
        ACCOUNT,
        TEST_SIDE,
    ),
    Command(
        "guard attack",
        "start a server, pump it in three ways beside honest users, and count what is lost",
        "guard_attack:run",
        Argument(
            "--minutes",
            metavar="N",
            type=whole_number(least=1, most=10_000),
            default=60,
            help="how long each attack lasts, by the test clock (default: 60)",
        ),
        Argument("--without-guard", action="store_true", help="the same with the guard off: everything is lost"),
    ),
    Command(
        "guard timing",
        "start a server, and say whether the time of an answer tells absent, expired and locked numbers apart",
        "guard_timing:run",
        Argument(
            "--rounds",
            metavar="N",
            type=whole_number(least=100, most=20_000),
            default=5_000,
            help="how often each is asked (default: 5000)",
        ),
    ),
    Command(
        "guard simulate",
        "replay the ledger under other thresholds: messages stopped, credits saved, users lost",
        "guard:simulate",
        ACCOUNT,
        Argument(
            "changes",
            metavar="NAME=VALUE",
            nargs="*",
            type=change,
            help="settings of the policy that are to be otherwise",
        ),
        Argument("--from", metavar="T", dest="since", help="an RFC 3339 moment (default: the log's beginning)"),
        Argument("--to", metavar="T", dest="until", help="an RFC 3339 moment (default: the log's end)"),
        TEST_SIDE,
    ),
    Command(
        "ratecards adopt",
        "charge an account by another rate card from a moment on",
        "ratecards:adopt",
        ACCOUNT,
        Argument("file", metavar="FILE", help='JSON such as {"per": "segment", "prices": {"*": 1, "TR": 2}}'),
        Argument("--from", metavar="T", dest="since", help="an RFC 3339 moment, not in the past (default: now)"),
    ),
    Command(
        "ratecards show", "show the rate card in force, and those that wait for their day", "ratecards:show", ACCOUNT
    ),
    Command("templates show", "show an account's texts: its own and the shipped ones", "templates:show", ACCOUNT),
    Command(
        "templates lint",
        "say what is wrong with a text, and what it costs; or with all texts of an account",
        "templates:lint",
        Argument("account", metavar="ACCOUNT", nargs="?", help="whose texts (default: the text given by --text)"),
        Argument("--text", metavar="TEXT", default="", help="such as '{code} is your code for Shop.'"),
    ),
    Command(
        "templates set",
        "word an account's messages in a language; or set its default language, or its name before shipped texts",
        "templates:set_",
        ACCOUNT,
        LOCALE,
        Argument("--text", metavar="TEXT", help="with {code} once, and {minutes} if you like"),
        Argument("--default-locale", metavar="L", help="the language of messages that name none; '' for English"),
        Argument("--brand", metavar="NAME", help="a name before the shipped texts; '' for none"),
    ),
    Command(
        "templates remove", "use the shipped text of a language again", "templates:remove", ACCOUNT, LOCALE_REQUIRED
    ),
    Command("templates cost", "show the segments of the shipped texts, by language", "templates:cost"),
    Command("senders show", "show an account's senders", "senders:show", ACCOUNT),
    Command(
        "senders set",
        "let messages to a country come from a name or a short code",
        "senders:set_",
        ACCOUNT,
        COUNTRY,
        Argument("sender", metavar="SENDER", help="up to 11 letters, digits and spaces, or a short code"),
    ),
    Command("senders remove", "leave the sender to the provider again", "senders:remove", ACCOUNT, COUNTRY),
    Command(
        "webhooks add",
        "post an account's events to a URL from now on; prints what they are verified with",
        "webhooks:add",
        ACCOUNT,
        Argument("url", metavar="URL", help="https://host/path, without user, query and fragment"),
        Argument(
            "--type",
            metavar="T",
            action="append",
            default=[],
            dest="types",
            help="such as verification.verified, verification.* or account.*; repeat for more (default: verification.*)",
        ),
        MODE,
    ),
    Command("webhooks list", "list the endpoints of an account and how they fare", "webhooks:list_", ACCOUNT, MODE),
    Command(
        "webhooks show",
        "show an endpoint and what its posts are verified with",
        "webhooks:show",
        ACCOUNT,
        ENDPOINT,
        MODE,
    ),
    Command(
        "webhooks rotate",
        "sign with a new secret, and for a while with the last one as well",
        "webhooks:rotate",
        ACCOUNT,
        ENDPOINT,
        Argument(
            "--overlap-hours",
            metavar="H",
            type=whole_number(least=0, most=168),
            default=24,
            help="how long the last secret signs as well (default: 24)",
        ),
        MODE,
    ),
    Command("webhooks enable", "post to an endpoint again", "webhooks:enable", ACCOUNT, ENDPOINT, MODE),
    Command(
        "webhooks disable",
        "post nothing more to an endpoint; what waits is kept",
        "webhooks:disable",
        ACCOUNT,
        ENDPOINT,
        Argument("--reason", metavar="REASON", default="by the operator", help="why; kept in the ledger"),
        MODE,
    ),
    Command("webhooks remove", "end an endpoint, and what waits for it", "webhooks:remove", ACCOUNT, ENDPOINT, MODE),
    Command(
        "webhooks deliveries",
        "list deliveries, newest first, with each attempt",
        "webhooks:deliveries",
        ACCOUNT,
        Argument("--endpoint", metavar="ENDPOINT", default="", help="only to this one"),
        Argument("--status", choices=("waiting", "delivered", "given_up"), default="", help="only these"),
        Argument(
            "--before",
            metavar="P",
            type=whole_number(least=1, most=10**15),
            help="only events before this position of the log",
        ),
        Argument(
            "--limit", metavar="N", type=whole_number(least=1, most=1_000), default=50, help="how many (default: 50)"
        ),
        MODE,
    ),
    Command(
        "webhooks replay",
        "deliver events once more, byte for byte: one by its id, or an account's from one moment or position to another",
        "webhooks:replay",
        Argument("event_id", metavar="EVENT_ID", nargs="?", help="the event's id, as GET /v1/events shows it"),
        Argument("--account", metavar="ACCOUNT", default="", help="whose events, with --from"),
        Argument("--from", metavar="T", dest="since", default="", help="an RFC 3339 moment, or a position"),
        Argument("--to", metavar="T", dest="until", default="", help="the same, included (default: the last event)"),
        Argument("--endpoint", metavar="ENDPOINT", default="", help="only to this one (default: all that want them)"),
        MODE,
    ),
    Command(
        "listen",
        "forward an account's events to a URL of yours as they come, signed as a webhook is",
        "listen:run",
        Argument("--forward-to", metavar="URL", required=True, help="such as http://127.0.0.1:3000/hooks"),
        Argument(
            "--key",
            metavar="SOURCE",
            default="-",
            help="where the secret key is read: env:NAME, or - for standard input (default: -)",
        ),
        Argument("--url", metavar="BASE", default="", help="where DoneOTP answers (default: as configured here)"),
        Argument(
            "--type",
            metavar="T",
            action="append",
            default=[],
            dest="types",
            help="such as verification.verified; repeat for more (default: verification.*)",
        ),
        Argument(
            "--after",
            metavar="P",
            type=whole_number(least=0, most=10**15),
            help="begin after this position (default: with what comes next)",
        ),
        Argument("--once", action="store_true", help="end when all that is recorded is forwarded"),
    ),
    Command(
        "trigger",
        "post a signed example of an event to an endpoint, now and once",
        "trigger:run",
        Argument("type", metavar="TYPE", help="such as verification.verified"),
        ACCOUNT,
        ENDPOINT,
        MODE,
    ),
    Command(
        "projections status",
        "show how far each view is, and the SHA-256 of its rows",
        "projections:status",
    ),
    Command(
        "projections rebuild",
        "build a view again from the events, beside the live one, then swap",
        "projections:rebuild_",
        Argument("name", metavar="NAME", nargs="?", choices=VIEWS, help=f"one of {', '.join(VIEWS)} (default: all)"),
    ),
    Command("config", "show the settings in force, secrets left out", "config:run"),
    Command("doctor", "check settings, database, clock, fsync and keys; each problem with its fix", "doctor:run"),
    Command(
        "bench",
        "measure verifications per second on this machine, beside the limits it could reach",
        "bench:run",
        Argument("--quick", action="store_true", help="one worker, one account, one number of clients"),
        Argument(
            "--clients",
            metavar="N",
            type=whole_number(least=1, most=CLIENTS_MAX),
            default=64,
            help="clients at once with --quick (default: 64)",
        ),
        Argument(
            "--seconds",
            metavar="N",
            type=whole_number(least=1, most=600),
            default=5,
            help="how long each load is counted (default: 5)",
        ),
        Argument("--profile", metavar="FILE", default="", help="write a page here that shows where the CPU went"),
        Argument(
            "--without",
            choices=("seal", "views", "guard"),
            help="instead: one load with this work beside it and without, in turn",
        ),
        Argument(
            "--scale",
            metavar="EVENTS",
            type=whole_number(least=1_000, most=100_000_000),
            action="append",
            help="instead: what sealing, views, export, verify and replay take for so many events; repeat for more",
        ),
    ),
    Command("test", "run every test; further arguments go to pytest", "test:run", passes_on="pytest"),
    Command("check", "check style, types, import rules and that tests reach every branch of the rules", "check:run"),
)
