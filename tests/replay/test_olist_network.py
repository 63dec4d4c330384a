"""The network of the made-up marketplace: nodes, stock and lanes, by hand."""

from pathlib import Path

import pytest

from backend.network.model import NodeKind
from backend.network.regions.table import bundled_regions
from loadtests.errors import NotTheData
from loadtests.replay import olist_network
from loadtests.replay.olist_data import Data, Places, read_data
from loadtests.replay.olist_network import Network, network_of, shipments_of, skus_of
from tests.replay.olist_files import CHAIR, LAMP, SELLER_PR, SELLER_SP, TABLE, write_files

REGIONS = bundled_regions()
SAO_PAULO, CAMPINAS, CURITIBA, RIO = 3550308, 3509502, 4106902, 3304557
SEED = 1


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return read_data(write_files(tmp_path), Places(REGIONS))


def network(data: Data) -> Network:
    return network_of(data, skus_of(data), Places(REGIONS), REGIONS, SEED)


def test_sellers_and_warehouses_stand_at_their_towns(data: Data) -> None:
    found = {node.code: (node.kind, node.region_code) for node in network(data).nodes}
    assert found == {
        SELLER_SP: (NodeKind.THIRD_PARTY, SAO_PAULO),
        SELLER_PR: (NodeKind.THIRD_PARTY, CURITIBA),
        # Most sellers of São Paulo are in Campinas; of Rio de Janeiro no town is known.
        "warehouse-sp": (NodeKind.WAREHOUSE, CAMPINAS),
        "warehouse-pr": (NodeKind.WAREHOUSE, CURITIBA),
    }
    assert {node.lead_time_minutes for node in network(data).nodes} == {24 * 60}


def test_sellers_hold_what_they_sold_and_warehouses_what_is_drawn(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = {(SELLER_SP, LAMP): 2, (SELLER_SP, TABLE): 1, (SELLER_PR, CHAIR): 2}
    monkeypatch.setattr(olist_network, "RANGE_PERCENT", 0)
    assert network(data).units == sold
    monkeypatch.setattr(olist_network, "RANGE_PERCENT", 100)
    everywhere = {LAMP: 2, TABLE: 1, CHAIR: 2}
    assert network(data).units == sold | {
        (warehouse, product): units
        for warehouse in ("warehouse-sp", "warehouse-pr")
        for product, units in everywhere.items()
    }
    monkeypatch.setattr(olist_network, "RANGE_PERCENT", 50)
    assert network(data).units == network(data).units


def test_lanes_go_where_goods_may_go(data: Data) -> None:
    ends: dict[str, set[int]] = {}
    for lane in network(data).lanes:
        ends.setdefault(lane.node, set()).add(lane.region_code)
    assert ends == {
        SELLER_SP: {SAO_PAULO, CURITIBA, RIO},
        SELLER_PR: {CURITIBA},
        "warehouse-sp": {SAO_PAULO, CURITIBA, RIO},
        "warehouse-pr": {SAO_PAULO, CURITIBA, RIO},
    }


def test_shipments_are_what_one_seller_sent_of_one_order(data: Data) -> None:
    sellers = {code: network(data).places[code] for code in (SELLER_SP, SELLER_PR)}
    found = [tuple(one) for one in shipments_of(data, skus_of(data), sellers, REGIONS)]
    two_days, five_days = 2 * 1_440, 5 * 1_440
    assert found == [
        (0, 500, 900, two_days),
        # Both chairs; and the lamp over 339 km into another state.
        (0, 3_000, 1_200, five_days),
        (2, 500, 1_500, five_days),
        # 24,000 cm³ are charged as 4 kg.
        (2, 4_000, 2_400, None),
    ]


def test_a_seller_without_a_state_is_not_the_data(data: Data) -> None:
    data.sellers[SELLER_PR]["seller_state"] = "XX"
    with pytest.raises(NotTheData, match="in no state of Brazil"):
        network(data)
