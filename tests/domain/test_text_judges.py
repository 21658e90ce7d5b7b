"""Size and autofill line as others see them: a library that splits messages, and the parser of the WICG specification.

`smsutil` deviates from 3GPP TS 23.038 twice, which one test shows: it takes the escape itself, U+001B, for a character of
the alphabet, and a message without any text for UCS-2. Both are left out of the comparison.
"""

import re

import smsutil
from hypothesis import example, given
from hypothesis import strategies as st

from domain import autofill
from domain.shipped import SHIPPED
from domain.text import compose, measure

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"
NAMES = {"gsm0338": "GSM-7", "utf_16_be": "UCS-2"}
ANYTHING = st.characters(exclude_categories=["Cs"], exclude_characters="\x1b")


def split(text: str) -> tuple[str, int]:
    """Encoding and segments as the other library has them."""
    result = smsutil.split(text)
    return NAMES[result.encoding], len(result.parts)


@given(
    st.one_of(
        st.text(BASIC + EXTENDED, min_size=1, max_size=500),
        st.text(BASIC + EXTENDED + "яç中😀", min_size=1, max_size=300),
        st.text(ANYTHING, min_size=1, max_size=300),
    )
)
@example("a" * 152 + "€" + "a" * 152)
@example("я" * 66 + "😀" + "я" * 66)
def test_encoding_and_segments_are_those_of_an_independent_library(text):
    encoded = measure(text)
    assert (encoded.encoding, encoded.segments) == split(text)


@given(
    st.sampled_from(sorted(SHIPPED)), st.from_regex(r"[0-9]{4,10}", fullmatch=True), st.integers(1, 30), st.booleans()
)
def test_shipped_texts_cost_what_an_independent_library_says(locale, code, minutes, has_line):
    text = compose(code, minutes=minutes, template=SHIPPED[locale], web_origin="www.example.com" if has_line else "")
    assert (measure(text).encoding, measure(text).segments) == split(text)


def test_where_the_library_leaves_the_standard_it_is_not_followed():
    assert (split(""), measure("").encoding) == (("UCS-2", 1), "GSM-7")
    assert (split("\x1b"), measure("\x1b").encoding) == (("GSM-7", 1), "UCS-2")


def parsed(message: str) -> tuple[str, str | None, str] | None:
    """Host, embedded host and code by https://wicg.github.io/sms-one-time-codes/#parsing, step by step; None is failure.

    Hosts are taken as they stand: what is no domain fails where an origin is made of it.
    """
    line = re.sub("\r\n?", "\n", message).split("\n")[-1]
    top, position = token(line, 0, "@")
    if top is None or line[position : position + 1] != " ":
        return None
    code, position = token(line, position + 1, "#")
    if code is None:
        return None
    embedded = None
    if line[position : position + 1] == " ":
        embedded, position = token(line, position + 1, "%")
    return top, embedded, code


def token(line: str, position: int, marker: str) -> tuple[str | None, int]:
    """Extract a marked token."""
    if line[position : position + 1] != marker:
        return None, position
    begin = end = position + 1
    while end < len(line) and line[end] not in "\t\n\f\r ":
        end += 1
    return line[begin:end] or None, end


HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,8}){1,2}", fullmatch=True)


@given(st.sampled_from(sorted(SHIPPED)), HOSTS, st.from_regex(r"[0-9]{4,10}", fullmatch=True))
def test_a_browser_finds_host_and_code_in_every_message_with_the_line(locale, host, code):
    text = compose(code, minutes=5, template=SHIPPED[locale], web_origin=host)
    assert parsed(text) == (host, None, code)
    assert autofill.read(text, code=code) == autofill.Autofill(host=host)


@given(st.text("@#% \n\r\tab.1", max_size=24))
def test_lines_are_read_as_the_specification_parses_them(message):
    found, ours = parsed(message), autofill.read(message, code="1")
    if found is None:
        assert ours.fault in {"none", "not_last", "not_first", "malformed"}
    else:
        assert ours.fault in {"", "host", "code"}
        assert (ours.host, ours.embedded_host) == (found[0], found[1] or "")
        assert (ours.fault == "") <= (found[2] == "1")


def test_with_an_app_hash_behind_it_the_line_is_not_the_last_and_no_browser_reads_it():
    text = compose("493812", minutes=5, web_origin="example.com", app_hash="FA+9qCX9VSu")
    assert (parsed(text), text.split("\n")[-1]) == (None, "FA+9qCX9VSu")
