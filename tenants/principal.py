"""Who acts: made from a token or an API key and from nowhere else.

No id in a request widens a principal. This module imports nothing of ours and is imported by all.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a principal is within its tenant."""

    BRAND = "brand"
    DEALER = "dealer"
    STORE = "store"
    GROUP = "group"
    SYSTEM = "system"


WRITERS = frozenset({Kind.BRAND, Kind.SYSTEM})
"""Who the policies let write; dealers and stores act through orders, which the system commits."""


class Permission(StrEnum):
    """What a principal may do; what it may see follows from its kind."""

    ORDERS_READ = "orders:read"
    ORDERS_PLACE = "orders:place"
    ORDERS_CANCEL = "orders:cancel"
    STOCK_READ = "stock:read"
    STOCK_WRITE = "stock:write"
    FULFILMENT_WRITE = "fulfilment:write"
    CATALOG_WRITE = "catalog:write"
    NETWORK_WRITE = "network:write"
    MEMBERS_WRITE = "members:write"
    DEALERS_READ = "dealers:read"
    DEALERS_WRITE = "dealers:write"
    DEALERS_APPROVE = "dealers:approve"
    QUOTA_WRITE = "quota:write"


class PermissionMissing(Exception):
    """You may not do this; ask whoever manages the members of your organisation."""

    code = "PERMISSION_MISSING"

    def __init__(self, permission: Permission) -> None:
        super().__init__(f"This needs the permission {permission}. {type(self).__doc__}")
        self.permission = permission

    @property
    def extensions(self) -> dict[str, str]:
        """What a GraphQL error shows of it where the schema has no union for it."""
        return {"code": self.code, "permission": self.permission.value}


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """One subject acting in one tenant."""

    tenant_id: int
    kind: Kind
    subject: str
    """`user:7`, `key:3` or, for our own processes, `system:reaper`."""
    group_id: int | None = None
    dealer_id: int | None = None
    node_ids: tuple[int, ...] = ()
    permissions: frozenset[Permission] = frozenset()
    acts_for: "Principal | None" = None
    """In whose name the system acts, with no more rights than that one has."""

    def require(self, permission: Permission) -> None:
        """Raise PermissionMissing unless the principal holds `permission`."""
        if self.acts_for is not None:
            self.acts_for.require(permission)
        elif self.kind is not Kind.SYSTEM and permission not in self.permissions:
            raise PermissionMissing(permission)

    def may_work_at(self, node_id: int, dealer_id: int | None) -> bool:
        """Whether the principal may change goods of a dealer (None: of the brand) in a node.

        A store may in its own nodes, whose goods they be; a dealer its own goods, wherever.
        """
        who = self.acts_for or self
        if who.kind is Kind.STORE:
            return node_id in who.node_ids
        return who.kind is not Kind.DEALER or dealer_id == who.dealer_id

    @property
    def actor(self) -> str:
        """Who acts, as others read it: whoever the system acts for, or the process of ours."""
        name = self.subject.removeprefix("system:")
        return name if name.startswith(("user:", "key:")) else self.subject

    @property
    def is_read_only(self) -> bool:
        """A group reads across its brands and writes in none."""
        return self.kind is Kind.GROUP

    @property
    def sees_all(self) -> bool:
        """Whether the policies let it read whatever its tenant has."""
        return self.kind in (Kind.BRAND, Kind.GROUP, Kind.SYSTEM)

    @property
    def user_id(self) -> int | None:
        return self._numbered("user:")

    @property
    def key_id(self) -> int | None:
        return self._numbered("key:")

    def _numbered(self, prefix: str) -> int | None:
        return int(self.subject[len(prefix) :]) if self.subject.startswith(prefix) else None


def stock_writer(principal: Principal) -> Principal:
    """Return who writes stock in a principal's name: itself, where the policies let it write.

    For stores and dealers it is the system, with their subject and permissions, and where
    `may_work_at` lets them.
    """
    if principal.kind not in (Kind.STORE, Kind.DEALER):
        return principal
    return Principal(
        tenant_id=principal.tenant_id,
        kind=Kind.SYSTEM,
        subject=principal.subject,
        acts_for=principal,
    )


def system_principal(tenant_id: int, name: str) -> Principal:
    """Return the principal as which our own process `name` acts in a tenant."""
    return Principal(tenant_id=tenant_id, kind=Kind.SYSTEM, subject=f"system:{name}")
