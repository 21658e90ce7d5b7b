"""Keys: issue one, which is seen once, restrict and revoke, and when each last left a record."""

from datetime import datetime
from typing import Final

from litestar import Response

from domain import keys as kinds
from domain.refusals import InvalidRequest, ServiceUnavailable
from interfaces import key_uses
from interfaces.dashboard.visit import Visit, in_office

KINDS: Final = {
    "sk_live": "Secret, live",
    "pk_live": "Publishable, live",
    "sk_test": "Secret, test",
    "pk_test": "Publishable, test",
}


async def page(visit: Visit) -> Response[bytes]:
    """All keys there ever were, without their secrets."""
    return await _shown(visit, new="")


async def issue(visit: Visit) -> Response[bytes]:
    """One more; the answer has it, and nothing else ever will."""
    kind = visit.form.get("kind", "")
    if kind not in kinds.KEY_KINDS:
        raise InvalidRequest("kind must be one of those in the list.")
    _, key = await in_office(
        visit.office.administration.issue_key,
        visit.account_id,
        kind=kind,
        name=visit.form.get("name", "").strip(),
        origins=tuple(visit.form.get("origins", "").split()),
        by=visit.by,
    )
    return await _shown(visit, new=key)


async def restrict(visit: Visit) -> Response[bytes]:
    """Another name, or other origins in place of those it has; without any those stay."""
    changed = await in_office(
        visit.office.administration.restrict_key,
        visit.account_id,
        key_id=visit.form.get("key", ""),
        name=visit.form.get("name", "").strip(),
        origins=tuple(visit.form.get("origins", "").split()),
        by=visit.by,
    )
    return visit.back("keys", "restricted" if changed else "same")


async def revoke(visit: Visit) -> Response[bytes]:
    """End one."""
    changed = await in_office(
        visit.office.administration.revoke_key, visit.account_id, key_id=visit.form.get("key", ""), by=visit.by
    )
    return visit.back("keys", "revoked" if changed else "same")


async def _shown(visit: Visit, *, new: str) -> Response[bytes]:
    uses = await _uses(visit)
    listed = sorted(visit.account.keys.values(), key=lambda key: key.issued_at, reverse=True)
    listed.sort(key=lambda key: key.revoked_at is not None)
    return visit.html("keys.html", title="Keys", listed=listed, kinds=KINDS, new=new, uses=uses)


async def _uses(visit: Visit) -> dict[str, datetime] | None:
    """None while the views are made: keys can be administered meanwhile."""
    try:
        found: dict[str, datetime] = await in_office(key_uses.last, visit.office.desk.recorder, visit.account_id)
    except ServiceUnavailable:
        return None
    return found
