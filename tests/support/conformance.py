"""What the Schemathesis command is told of this API: which refusals do not contradict the document."""

from typing import Any

import schemathesis
from schemathesis.checks import CHECKS

FORM = {"malformed_json", "invalid_request", "invalid_code_format", "invalid_idempotency_key", "method_not_allowed"}
"""Codes that say that a request is not of the documented form. Any other 4xx is a rule's answer to one that is."""
UNSAID = (
    "Ask for a balance by at or by position, not both.",  # OpenAPI knows no parameters that exclude each other
    "metadata must not hold phone numbers or addresses",  # nor what is personal
    "from must not be after to",  # nor an order of two
    "cursor must be one that an earlier answer gave",  # nor what was answered earlier
    "from and to must be sizes in their order",
    "seconds must be at least 1, and at most",  # nor a sum over earlier requests
    "verification_id is required with a public key.",  # nor a field that depends on the kind of key
    "client_ip is for secret keys",
    "from must not be after to",  # nor an order between parameters
    "from and to must be sizes in their order",
)
"""How the details begin that name a form which a JSON Schema cannot say."""


def is_rule(problem: dict[str, Any]) -> bool:
    """Whether this refusal is about what the request asks for, not about how it is written."""
    return problem["code"] not in FORM or problem["detail"].startswith(UNSAID)


@schemathesis.check
def documented_form_is_accepted(ctx: Any, response: Any, case: Any) -> bool | None:
    """Schemathesis' own positive_data_acceptance, for which any 400 to a well-formed request is wrong; here 400 and 422 are
    also how a rule refuses: a wrong code, a used token, an Idempotency-Key of another request."""
    if 400 <= response.status_code < 500 and is_rule(response.json()):
        return None
    theirs: Any = CHECKS.get_one("positive_data_acceptance")
    return bool(theirs(ctx, response, case))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Ask for news without waiting: for how long a valid `wait` waits is not what is examined."""
    wait = str((case.query or {}).get("wait", ""))
    if wait.isascii() and wait.isdigit() and 1 <= int(wait) <= 30:
        case.query["wait"] = 0
