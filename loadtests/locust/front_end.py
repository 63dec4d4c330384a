"""What all front ends have in common: asking, checking, and asking again.

Locust has patched `sleep`: a user who waits keeps nobody else from going on.
"""

from collections.abc import Callable, Sequence
from random import Random
from time import sleep
from typing import Any, TypeVar

import msgspec
from locust import FastHttpUser
from locust.contrib.fasthttp import FastResponse

from loadtests.locust.answers import (
    Check,
    ComeBack,
    Fields,
    Page,
    WrongAnswer,
    checked,
    data_of,
    ids_of,
    next_page_of,
)
from loadtests.locust.documents import DOCUMENTS
from loadtests.locust.made_orders import OrderMaker, next_number
from loadtests.locust.order_answers import logged_in
from loadtests.locust.scenario import Person, Program, Scenario, load_scenario
from loadtests.locust.tallies import TALLIES
from loadtests.locust.thresholds import LATER

PAGE = 20
"""Items of a page, as a screen shows them."""
TRIES_MAX = 30
"""Times that a request is sent which got lost or was told to come back; then it is a failure."""
SEND_AGAIN_SECONDS = 0.2
TIMEOUT_SECONDS = 30.0


AccountT = TypeVar("AccountT", Person, Program)
Read = Callable[[FastResponse], Any]
"""Returns what a response says; raises WrongAnswer or ComeBack."""


class FrontEnd(FastHttpUser):
    """Somebody, or a program, that talks to Yipan over HTTP."""

    abstract = True
    network_timeout = TIMEOUT_SECONDS
    connection_timeout = TIMEOUT_SECONDS
    credential = ""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.scenario: Scenario = load_scenario(environment.parsed_options.scenario)
        self.number = TALLIES.next_user()
        self.last_page: dict[str, Page] = {}
        self.random = Random(f"{self.scenario.seed}-{self.number}")

    def one_of(self, accounts: Sequence[AccountT]) -> AccountT:
        """Return this user's account: they take turns, so several sessions may share one."""
        return accounts[self.number % len(accounts)]

    def maker(self, skus: tuple[str, ...]) -> OrderMaker:
        return OrderMaker(self.random, skus, self.scenario.districts)

    def fresh_key(self) -> str:
        """Return an idempotency key that nobody else has."""
        return f"load-{self.number}-{next_number()}"

    def log_in(self, person: Person, kind: str) -> None:
        """Log in; raises WrongAnswer, which ends this user, where that does not work."""
        session = self.ask(
            "logIn",
            lambda data: logged_in(data, person.brand, kind),
            input={"email": person.email, "password": person.password},
        )
        if session is None:
            raise WrongAnswer("nobody is logged in")
        self.credential = session.token

    def ask(self, field: str, check: Check, *, name: str = "", **variables: Any) -> Any:
        """Send the document of a field and return what `check` makes of the answer's data.

        What got lost, and what was told to come back later, is sent again, the same to the letter.
        None where the answer is wrong; it is a failure in the table then.
        """
        body = msgspec.json.encode({"query": DOCUMENTS[field], "variables": variables})

        def read(response: FastResponse) -> Any:
            return checked(check, data_of(response.status_code, response.content or b""))

        return self.send("/graphql", body, read, name or field)

    def turn_page(self, field: str, kind: str, check_node: Callable[[Fields], None]) -> None:
        """Read the next page of a list, or its first one behind the last."""
        before = self.last_page.get(field)
        after = before.after if before else None
        seen = ids_of(before) if before and after else frozenset()

        def read(data: Fields) -> Page:
            page = next_page_of(data, field, kind, PAGE, seen)
            for node in page.nodes:
                check_node(node)
            return page

        page = self.ask(field, read, first=PAGE, after=after)
        if page is not None:
            self.last_page[field] = page

    def send(self, path: str, body: bytes, read: Read, name: str) -> Any:
        """Send a body until there is an answer, and return what `read` makes of it, or None."""
        for _ in range(TRIES_MAX):
            try:
                return self._send_once(path, body, read, name)
            except ComeBack as busy:
                sleep(busy.seconds)
            except ConnectionError:
                sleep(SEND_AGAIN_SECONDS)
            except WrongAnswer:
                return None
        self._give_up(name)
        return None

    def _give_up(self, name: str) -> None:
        """Count an answer that never came as a wrong one."""
        TALLIES.wrong[name] += 1
        self.environment.events.request.fire(
            request_type="POST",
            name=name,
            response_time=None,
            response_length=0,
            exception=WrongAnswer(f"no answer after {TRIES_MAX} tries"),
            context={},
        )

    def _send_once(self, path: str, body: bytes, read: Read, name: str) -> Any:
        headers = {"content-type": "application/json"}
        if self.credential:
            headers["authorization"] = f"Bearer {self.credential}"
        with self.client.post(
            path, data=body.decode(), headers=headers, name=name, catch_response=True
        ) as response:
            if not response.status_code:
                TALLIES.lost[name] += 1
                lost = ConnectionError(str(response.error))
                response.failure(lost)
                raise lost
            try:
                found = read(response)
            except ComeBack:
                response.request_meta["name"] = name + LATER
                response.success()
                raise
            except WrongAnswer as wrong:
                TALLIES.wrong[name] += 1
                response.failure(wrong)
                raise
            response.success()
            return found
