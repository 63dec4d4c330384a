"""The state machine of installations: the only ways to their statuses."""

from backend.machines import START, Machine, step
from backend.orders.installations.model import InstallationStatus as S
from tenants.principal import Permission

INSTALLATION = Machine(
    "installation",
    "安装单",
    S,
    [S.DONE, S.GIVEN_UP],
    [
        step("book", [START], [S.AGREED], by=Permission.ORDERS_PLACE, stock="slots"),
        step(
            "report",
            [S.AGREED],
            [S.DONE, S.UNDONE],
            by=Permission.FULFILMENT_WRITE,
            event="installation.changed",
        ),
        step(
            "agree",
            [S.AGREED, S.UNDONE],
            [S.AGREED],
            by=Permission.ORDERS_PLACE,
            stock="slots",
            event="installation.changed",
        ),
        step(
            "give_up",
            [S.AGREED, S.UNDONE],
            [S.GIVEN_UP],
            by=Permission.ORDERS_CANCEL,
            stock="slots",
            event="installation.changed",
        ),
    ],
)
