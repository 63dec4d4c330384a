from collections.abc import Sequence

from core_ext.demand import Demand
from core_ext.parcel_cost import Policy
from core_ext.results import Plans
from core_ext.stock_book import StockBook

def plan(book: StockBook, policies: Sequence[Policy], demand: Demand) -> Plans: ...
