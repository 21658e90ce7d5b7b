"""Writes the country table of widget.js anew from libphonenumber's metadata: `python interfaces/web/widget/countries.py`.

An entry is a calling code, after a dot the lengths of the groups in which a mobile number is written but the last, and
the regions that share the code, the main one first: 49.4DE
"""

import re
from pathlib import Path
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

WIDGET: Final = Path(__file__).with_name("widget.js")
_LINE: Final = re.compile(r'^const COUNTRIES =\n  "[^"]*";$', re.MULTILINE)


def table() -> str:
    """The entries, by calling code."""
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return " ".join(_entry(code, codes[code]) for code in sorted(codes) if codes[code] != ("001",))


def _entry(code: int, regions: tuple[str, ...]) -> str:
    example = phonenumbers.example_number_for_type(regions[0], PhoneNumberType.MOBILE)
    number = example or phonenumbers.example_number(regions[0])
    assert number is not None, "every region has an example"
    spelled = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    groups = re.findall("[0-9]+", spelled.removeprefix(f"+{code}"))
    return f"{code}.{''.join(str(len(group)) for group in groups[:-1])}{''.join(regions)}"


def renewed(script: str) -> str:
    """The script with the table of the metadata at hand."""
    return _LINE.sub(f'const COUNTRIES =\n  "{table()}";', script, count=1)


if __name__ == "__main__":
    WIDGET.write_text(renewed(WIDGET.read_text()))
