"""A history that is being played, and what was found wrong with it."""

from backend.orders.model import HoldOutcome, OrderDraft, Outcome
from loadtests.torture.history import History, Keeping
from loadtests.torture.machine import Servers
from loadtests.torture.observe import Observer
from tenants.principal import Kind, Permission, Principal

TENANT = 1
BRAND = Principal(
    tenant_id=TENANT, kind=Kind.BRAND, subject="user:1", permissions=frozenset(Permission)
)


class Answer:
    """What somebody asked for, and was told."""

    def __init__(self, draft: OrderDraft) -> None:
        self.draft = draft
        self.asked_at = 0.0
        self.answered_at = 0.0
        self.outcome: Outcome | None = None


class Played:
    """A history with its servers, its answers and its findings."""

    def __init__(self, history: History, servers: Servers) -> None:
        self.history = history
        self.servers = servers
        self.answers: list[Answer] = []
        self.held: list[tuple[Keeping, HoldOutcome]] = []
        """Who had units kept, and was told what."""
        self.findings: list[str] = []
        self.effects: list[int] = []
        """How many effects each machine had, its successors' included, until all was answered."""
        self.observer = Observer(self.servers.database)

    @property
    def trace(self) -> list[str]:
        return self.servers.trace
