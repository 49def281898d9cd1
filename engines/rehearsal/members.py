"""The second member: as an admin, as one who may not look, as one who is not in yet, as one who is out."""

from collections.abc import Mapping

from engines.common.identity import Role
from engines.identity.models import TenantMembership
from engines.rehearsal import claims
from engines.rehearsal.caller import Caller, words_of
from engines.rehearsal.inside import Inside
from engines.rehearsal.refusals import LOOK, SEND, refused
from engines.rehearsal.visible import state_of
from engines.rehearsal.watching import Dashboard


async def try_members(
    owner: Caller, colleague: Caller, inside: Inside, shown: Dashboard, made: Mapping[str, str]
) -> None:
    """Judge what a colleague of the owner sees, role by role. No route adds a member: an operator does."""

    async def joined(role: Role, membership: TenantMembership) -> Caller:
        await inside.keep(membership.model_copy(update={"role": role}))
        return (await colleague.refreshed()).in_tenant(owner.tenant_id, owner.env)

    member = TenantMembership(tenant_id=owner.tenant_id, user_id=colleague.user_id)
    await _same_view(await joined("admin", member), shown)
    await refused(await joined("viewer", member), claims.VIEWER, 403, made)
    await refused(await joined("member", member), claims.MEMBER, 403, made)
    pending = member.model_copy(update={"status": "pending"})
    await refused(await joined("admin", pending), claims.PENDING, 403, made, SEND)
    revoked = member.model_copy(update={"status": "revoked"})
    await refused(await joined("admin", revoked), claims.REVOKED, 403, made, SEND)


async def _same_view(admin: Caller, shown: Dashboard) -> None:
    admin.journal.begin(claims.COLLEAGUE)
    answer = await admin.call(*LOOK)
    same = answer.status_code == 200 and state_of(answer.json()) == state_of(shown)
    words = (
        f"200, {'the same' if same else 'another'} state" if answer.status_code == 200 else words_of(answer)
    )
    admin.journal.judge(claims.COLLEAGUE, same, words)
