"""The demo's routing policy: ten strategies, of the kind that a maker of appliances lives by."""

from backend.conditions.model import Comparison, Condition, Operator
from backend.db.pool import TenantTransaction
from backend.network.regions.table import RegionTable
from backend.routing.model import (
    Objective,
    Otherwise,
    PolicyDocument,
    Preset,
    Rerouting,
    SourcingWeights,
    Strategy,
    Weighed,
)
from backend.routing.policies import activate_policy, active_policy, propose_policy


def _test(attribute: str, operator: Operator, *values: str) -> Condition:
    return Condition(test=Comparison(attribute, operator, values))


def _all(*parts: Condition) -> Condition:
    return Condition(all=parts)


def _is(attribute: str, value: str) -> Condition:
    return _test(attribute, Operator.EQUALS, value)


def _not(part: Condition) -> Condition:
    return Condition(not_=part)


WAREHOUSES = _is("node.kind", "warehouse")
CAN_HANDLE = _is("node.can_handle", "true")
"""Of goods that need something: it is sent only from where it can be handled."""
COST = Objective(
    sum=(
        Weighed("freight"),
        Weighed("handling"),
        Weighed("dealer_margin"),
        Weighed("cross_region", 300),
        Weighed("reject_rate", 2, 100),
    )
)
"""What an order costs the brand, in fen: with 3 yuan for crossing a province, 2 fen for each per
cent that a node does not find."""


SPECIAL = (
    Strategy(
        name="国补订单本省发货",
        when=_test("order.tags", Operator.CONTAINS, "国补"),
        nodes=_all(_is("node.is_same_province", "true"), CAN_HANDLE),
        preset=Preset.FEWEST_SPLITS,
        otherwise=Otherwise.HOLD,
    ),
    Strategy(
        name="送装一体",
        when=_is("order.needs_installation", "true"),
        nodes=_all(CAN_HANDLE, _test("node.distance_km", Operator.AT_MOST, "800")),
        objectives=(Objective("split"), Objective("promised_date"), COST),
        max_parcels=2,
        whole_only=True,
    ),
    Strategy(
        name="高等级会员时效优先",
        when=_test("order.customer_level", Operator.AT_LEAST, "5"),
        nodes=CAN_HANDLE,
        preset=Preset.TIME,
        max_parcels=2,
        whole_only=True,
    ),
    Strategy(
        name="当日承诺",
        when=_test("order.days_to_promise", Operator.AT_MOST, "1"),
        nodes=_all(_test("node.wait_days", Operator.AT_MOST, "0"), CAN_HANDLE),
        preset=Preset.TIME,
        whole_only=True,
    ),
    Strategy(
        name="经销商自有库存优先",
        when=_is("order.is_dealers", "true"),
        nodes=_all(_is("node.is_same_dealer", "true"), CAN_HANDLE),
        preset=Preset.FEWEST_SPLITS,
        whole_only=True,
    ),
)
"""For orders that cannot be treated like others."""

ORDINARY = (
    Strategy(
        name="直播间中心仓发货",
        when=_is("order.channel", "douyin"),
        nodes=_all(WAREHOUSES, CAN_HANDLE),
        preset=Preset.FEWEST_SPLITS,
        whole_only=True,
    ),
    Strategy(
        name="就近经销商一件代发",
        when=_all(
            _is("order.channel", "wechat"),
            _not(_is("order.needs_installation", "true")),
        ),
        nodes=_all(
            _is("node.kind", "dealer"),
            _is("node.is_in_territory", "true"),
            _test("node.distance_km", Operator.AT_MOST, "300"),
        ),
        preset=Preset.SOURCING,
        weights=SourcingWeights(near=2, cheap=1, fast=1),
        max_parcels=1,
        whole_only=True,
    ),
    Strategy(
        name="一单一仓",
        nodes=_all(CAN_HANDLE, _is("node.is_covered", "true")),
        objectives=(COST, Objective("stock_depth", band=10)),
        max_parcels=1,
        whole_only=True,
    ),
    Strategy(
        name="就全拆单",
        nodes=CAN_HANDLE,
        preset=Preset.FEWEST_SPLITS,
        max_parcels=3,
        least_parcel_minor=2_000,
        whole_only=True,
    ),
    Strategy(
        name="能发多少发多少",
        preset=Preset.FEWEST_SPLITS,
        otherwise=Otherwise.BACKORDER,
    ),
)
"""For all others; the last one takes what is there."""


LEAST_SAVING_MINOR = 1_000
"""Ten yuan of freight and fees: for that an order is given to other nodes."""


def demo_policy() -> PolicyDocument:
    """Return the policy."""
    return PolicyDocument(SPECIAL + ORDINARY, rerouting=Rerouting(LEAST_SAVING_MINOR))


async def seed_policy(tx: TenantTransaction, regions: RegionTable) -> None:
    """Put the policy in force where none is."""
    _, version = await active_policy(tx)
    if version:
        return
    draft = await propose_policy(
        tx,
        demo_policy(),
        based_on=0,
        comment="演示策略",
        key="demo-policy-propose",
        regions=regions,
    )
    await activate_policy(tx, draft.version, key="demo-policy-activate", regions=regions)
