"""Keys: issue one, which is seen once, and revoke."""

from typing import Final

from litestar import Response

from domain import keys as kinds
from domain.refusals import InvalidRequest
from interfaces.dashboard.visit import Visit, in_office

KINDS: Final = {
    "sk_live": "Secret, live",
    "pk_live": "Publishable, live",
    "sk_test": "Secret, test",
    "pk_test": "Publishable, test",
}


async def page(visit: Visit) -> Response[bytes]:
    """All keys there ever were, without their secrets."""
    return _shown(visit, new="")


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
    return _shown(visit, new=key)


async def revoke(visit: Visit) -> Response[bytes]:
    """End one."""
    changed = await in_office(
        visit.office.administration.revoke_key, visit.account_id, key_id=visit.form.get("key", ""), by=visit.by
    )
    return visit.back("keys", "revoked" if changed else "same")


def _shown(visit: Visit, *, new: str) -> Response[bytes]:
    listed = sorted(visit.account.keys.values(), key=lambda key: key.issued_at, reverse=True)
    listed.sort(key=lambda key: key.revoked_at is not None)
    return visit.html("keys.html", title="Keys", listed=listed, kinds=KINDS, new=new)
