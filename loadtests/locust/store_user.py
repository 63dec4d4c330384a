"""A person in a store, with a phone."""

from functools import partial

from locust import between, task

from loadtests.locust.answers import Fields, WrongAnswer, expect, page_of
from loadtests.locust.front_end import FrontEnd
from loadtests.locust.order_answers import check_stores_fulfilment, check_stores_level

LOCATIONS_MAX = 20


class StoreUser(FrontEnd):
    """Somebody who serves customers and looks at the phone in between.

    Traffic: a pause of 3 to 12 seconds. After the log-in the app asks which store it is in; then
    of 5 looks 3 are at what there is to hand out (fulfilments; stores see no orders) and 2 at the
    store's stock. A share of 2 in 11 users: many people, each of whom asks rarely.
    """

    weight = 2
    wait_time = between(3, 12)

    def on_start(self) -> None:
        self.person = self.one_of(self.scenario.stores)
        self.log_in(self.person, "STORE")
        if self.ask("locations", self._check_locations) is None:
            raise WrongAnswer("the store does not find itself")

    @task(3)
    def read_fulfilments(self) -> None:
        check = partial(check_stores_fulfilment, code=self.person.location)
        self.turn_page("fulfilments", "Fulfilment", check)

    @task(2)
    def read_stock(self) -> None:
        check = partial(check_stores_level, code=self.person.location)
        self.turn_page("stockLevels", "StockLevel", check)

    def _check_locations(self, data: Fields) -> Fields:
        page = page_of(data, "locations", "Location", LOCATIONS_MAX)
        codes = [location["code"] for location in page.nodes]
        expect(codes == [self.person.location], f"locations: a store sees {codes}")
        return page.nodes[0]
