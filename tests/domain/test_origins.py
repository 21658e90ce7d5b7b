"""Origins: what a browser may send, and nothing else."""

import pytest

from domain import origins
from domain.refusals import InvalidRequest


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://shop.example", "https://shop.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:65535", "http://[::1]:65535"),
        ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("https://" + "a" * 292, "https://" + "a" * 292),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(text: str, kept: str) -> None:
    assert origins.origin(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "*", "shop.example", "javascript:1", "ftp://shop.example", "https://", "https://:443"),
        *("https://shop.example/", "https://shop.example/path", "https://shop.example?a", "https://shop.example#a"),
        *("https://Shop.example", "HTTPS://shop.example", "https://ann@shop.example", "https://münchen.example"),
        *("https://shop.example:", "https://shop.example:0443", "https://shop.example:65536", "https://a:1:2"),
        *("https://*.shop.example", "https://shop.example\n", " https://shop.example", "https://" + "a" * 293),
    ],
)
def test_what_no_browser_sends_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="An origin is http"):
        origins.origin(text)


def test_a_key_has_each_origin_once_and_up_to_a_limit() -> None:
    most = tuple(f"https://{number}.example" for number in range(origins.ORIGINS_MAX))
    assert origins.of_key((*most, *most)) == most
    with pytest.raises(InvalidRequest, match="at most 50 origins"):
        origins.of_key((*most, "https://more.example"))
