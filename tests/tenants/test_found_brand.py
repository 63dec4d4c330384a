"""A brand begins with a user who may do everything in it, or not at all."""

import pytest

from backend.db.errors import AlreadyExists, OutOfRange, YipanError
from backend.db.pool import Database
from tenants.authenticate import Authenticator
from tenants.brands import BrandDirectory
from tenants.found_brand import BrandDraft, create_brand
from tenants.members import NewUser
from tenants.organisation import WeakPassword
from tenants.principal import Permission
from tenants.tokens import TokenIssuer
from tests.catalogue import Connection, contents
from tests.conftest import SECRET
from tests.world import PASSWORD

DRAFT = BrandDraft("acme", "Acme", "CNY", "Asia/Shanghai", "group")
ADMIN = NewUser("first@example.com", "First", PASSWORD)


async def create(database: Database, draft: BrandDraft = DRAFT, admin: NewUser = ADMIN) -> int:
    async with database.platform_transaction() as tx:
        return await create_brand(tx, "test", draft, admin)


async def test_its_first_user_may_do_everything(database: Database) -> None:
    brand_id = await create(database)
    authenticator = Authenticator(database, TokenIssuer(SECRET))
    session, _ = await authenticator.log_in(ADMIN.email, PASSWORD, None)
    assert session.principal.tenant_id == brand_id
    assert session.principal.permissions == frozenset(Permission)


async def test_a_group_is_made_once(database: Database) -> None:
    await create(database)
    await create(database, DRAFT._replace(code="b"), ADMIN._replace(email="b@example.com"))
    brands = await BrandDirectory(database).all()
    assert len({brand.group_id for brand in brands}) == 1


@pytest.mark.parametrize(
    ("changes", "user", "error"),
    [
        ({"code": "acme"}, {"email": "b@example.com"}, AlreadyExists),
        ({"code": "b"}, {}, AlreadyExists),
        ({"code": "b", "currency": "yuan"}, {"email": "b@example.com"}, OutOfRange),
        ({"code": "b", "time_zone": "Mars"}, {"email": "b@example.com"}, OutOfRange),
        ({"code": "b"}, {"email": "b@example.com", "password": "short"}, WeakPassword),
    ],
)
async def test_what_cannot_be_leaves_nothing(
    database: Database,
    admin: Connection,
    changes: dict[str, str],
    user: dict[str, str],
    error: type[YipanError],
) -> None:
    await create(database)
    before = await contents(admin)
    with pytest.raises(error):
        await create(database, DRAFT._replace(**changes), ADMIN._replace(**user))
    assert await contents(admin) == before
