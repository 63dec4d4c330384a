"""Kinds of principals and their permissions, as the API names them.

Import them from here wherever a type shows one, so that they are registered before.
"""

import strawberry

from tenants.principal import Kind, Permission

__all__ = ["Kind", "Permission"]

strawberry.enum(Kind, name="PrincipalKind", description="As what somebody acts.")
strawberry.enum(Permission, name="Permission", description="What somebody may do.")
