"""Names that a message may come from: what a sender id may be, and which countries show one.

The table is that of the Amazon SNS Developer Guide, "Supported Regions and countries", as published at
https://github.com/awsdocs/amazon-sns-developer-guide (doc_source/sns-supported-regions-countries.md): what one carrier of
messages said in 2023. Rules of countries change, and the last word has your provider.
"""

import re
from typing import Final

from domain.refusals import InvalidRequest

EVERYWHERE: Final = "*"
SENDER_LENGTH_MAX: Final = 11
"""3GPP TS 23.040 section 9.1.2.5: an alphanumeric address has ten octets, eleven septets."""
_SHOWN: Final = """
AD AE AG AI AL AM AO AT AU AW BA BB BF BG BH BI BJ BM BN BO BS BT BW BY BZ CF CH CK CM CV CY DE DJ DK DM EE EG ES FI FJ
FO FR GA GB GD GE GI GL GM GN GP GQ GR GW GY HK HT IE IL IN IS IT JM JO KH KM KW LB LI LR LS LT LU LV LY MD ME MG MK MN
MO MQ MR MS MT MU MV MW NC NE NG NL NO OM PG PH PL PT PY QA RE RS RU RW SA SB SC SE SG SI SK SL SN SO SR SS ST SZ TC TD
TG TH TJ TM TN TO TT UA UG UZ VG VI VN VU WS YE ZM ZW
"""
SHOWN: Final = frozenset(_SHOWN.split())
"""Countries where an alphanumeric sender is shown as it was given; elsewhere it is refused or replaced."""
REGISTERED: Final = frozenset(("AE", "BY", "EG", "IN", "JO", "KW", "PH", "QA", "RU", "SA", "TH", "VN"))
"""Of those, the ones where it must have been registered before."""
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9 ]*[A-Za-z0-9])?", re.ASCII)
_SHORT_CODE: Final = re.compile(r"[0-9]{3,8}", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)


def require_sound(country: str, sender: str) -> None:
    """Raise InvalidRequest, in words, for a sender that could not be used there."""
    if country != EVERYWHERE and _COUNTRY.fullmatch(country) is None:
        raise InvalidRequest('country must be two capital letters, such as "TR", or "*" for all that are not named.')
    if is_short_code(sender):
        if country == EVERYWHERE:
            raise InvalidRequest("A short code belongs to a country: name it.")
        return
    if _NAME.fullmatch(sender) is None or len(sender) > SENDER_LENGTH_MAX:
        raise InvalidRequest(
            f"sender must be 1 to {SENDER_LENGTH_MAX} ASCII letters, digits and spaces inside with at least one letter, "
            "or a short code of 3 to 8 digits."
        )
    if country != EVERYWHERE and country not in SHOWN:
        raise InvalidRequest(
            f"{country} shows no alphanumeric sender: messages would be refused or come from a number."
        )


def is_short_code(sender: str) -> bool:
    """Whether a sender is a number of a few digits."""
    return _SHORT_CODE.fullmatch(sender) is not None


def sender_for(senders: dict[str, str], country: str) -> str:
    """The sender of messages to a country; empty where the provider's own is used.

    What is said for all countries is for those that show a name without asking for its registration.
    """
    named = senders.get(country)
    if named is not None:
        return named
    return senders.get(EVERYWHERE, "") if country in SHOWN and country not in REGISTERED else ""
