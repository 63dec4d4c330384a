"""Users beside those of the world: what somebody may do is looked up, not believed."""

from msgspec.structs import replace

from backend.runtime import Runtime
from tenants import organisation
from tenants.principal import Kind, Permission, Principal
from tests.world import ACTOR, PASSWORD, World


async def user_with(runtime: Runtime, world: World, permission: Permission) -> Principal:
    """Return a user of the brand with one permission only."""
    granted, email = frozenset({permission}), f"{permission.name}@example.com"
    async with runtime.database.platform_transaction() as tx:
        user_id = await organisation.register_user(tx, ACTOR, email, "One", PASSWORD)
        await organisation.grant_membership(
            tx, ACTOR, user_id, Kind.BRAND, granted, brand_id=world.tenant_id
        )
    return replace(world.brand, subject=f"user:{user_id}", permissions=granted)
