"""The rules an account lives by, and whether it may go on."""

import msgspec
from litestar import Response

from domain.policy import BOUNDS
from interfaces.dashboard.visit import Visit, in_office


async def page(visit: Visit) -> Response[bytes]:
    """Every rule with its bounds."""
    values = msgspec.to_builtins(visit.account.policy)
    rules = [(name, value, BOUNDS.get(name)) for name, value in values.items() if isinstance(value, int)]
    return visit.html("policy.html", title="Policy", rules=rules)


async def set_(visit: Visit) -> Response[bytes]:
    """Change what differs."""
    values = msgspec.to_builtins(visit.account.policy)
    changes = {
        name: visit.number(name, most=10**15)
        for name in BOUNDS
        if name in visit.form and visit.form[name].strip() != str(values.get(name))
    }
    if not changes:
        return visit.back("policy", "same")
    changed = await in_office(visit.office.administration.change_policy, visit.account_id, changes=changes, by=visit.by)
    return visit.back("policy", "changed" if changed else "same")


async def suspend(visit: Visit) -> Response[bytes]:
    """Stop the account."""
    reason = visit.form.get("reason", "").strip() or "by the operator"
    changed = await in_office(visit.office.administration.suspend, visit.account_id, reason=reason, by=visit.by)
    return visit.back("policy", "suspended" if changed else "same")


async def resume(visit: Visit) -> Response[bytes]:
    """Let it go on."""
    changed = await in_office(visit.office.administration.resume, visit.account_id, by=visit.by)
    return visit.back("policy", "resumed" if changed else "same")
