"""The line `@host #code`: the examples of the specification, and what goes wrong."""

import pytest

from domain.autofill import Autofill, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("747723 is your code.\n\n@example.com #747723", Autofill(host="example.com")),
        ("747723 is your code.\r\n\r\n@example.com #747723", Autofill(host="example.com")),
        ("@example.com #747723", Autofill(host="example.com")),
        (
            "@example.com #747723 %ecommerce.example",
            Autofill(host="example.com", embedded_host="ecommerce.example"),
        ),
        (
            "@example.com #747723 %ecommerce.example $future",
            Autofill(host="example.com", embedded_host="ecommerce.example"),
        ),
        ("@example.com #747723 and more", Autofill(host="example.com")),
        ("@localhost #747723", Autofill(host="localhost")),
        ("747723 is your code.", Autofill(fault="none")),
        ("", Autofill(fault="none")),
        ("@example.com #747723\n", Autofill(fault="not_last")),
        ("@example.com #747723\nFA+9qCX9VSu", Autofill(fault="not_last")),
        ("something @example.com #747723", Autofill(fault="not_first")),
        ("#747723 %ecommerce.example @example.com", Autofill(fault="none")),
        ("@example.com code #747723", Autofill(fault="malformed")),
        ("@example.com  #747723", Autofill(fault="malformed")),
        ("@example.com\t#747723", Autofill(fault="malformed")),
        ("@example.com #", Autofill(fault="malformed")),
        ("@ #747723", Autofill(fault="malformed")),
        ("@example.com", Autofill(fault="malformed")),
        ("@https://example.com #747723", Autofill(fault="host", host="https://example.com")),
        ("@example.com:8443 #747723", Autofill(fault="host", host="example.com:8443")),
        ("@-x.example #747723", Autofill(fault="host", host="-x.example")),
        (f"@{'x' * 64}.example #747723", Autofill(fault="host", host=f"{'x' * 64}.example")),
        ("@example.com #747723 %a_b", Autofill(fault="host", host="example.com", embedded_host="a_b")),
        ("@example.com #111111", Autofill(fault="code", host="example.com")),
    ],
)
def test_a_line_is_read_as_a_browser_reads_it(text: str, expected: Autofill) -> None:
    assert read(text, code="747723") == expected
