"""Running simulations in the background: one at a time in a process, each in one process."""

import secrets
from collections.abc import Sequence

import msgspec
import structlog

from backend.db.errors import DatabaseUnavailable
from backend.db.pool import CONNECTION_LOST, Database
from backend.network.regions.table import RegionTable
from backend.orders.simulation.model import Difference, Finding, Simulation, SimulationState
from backend.orders.simulation.run_simulation import run_simulation
from backend.orders.simulation.simulations import SQL, simulation_from
from tenants.brands import Brand, BrandDirectory
from tenants.principal import Principal, system_principal

log = structlog.get_logger(__name__)

LEASE_SECONDS = 120
"""Longer than reading a piece, or a week of movements, takes; then another process takes it up."""
ERROR_LENGTH_MAX = 500
ATTEMPTS_MAX = 5
"""Processes that end with the same simulation do so because of it."""
GIVEN_UP = "It was taken up several times and never finished; ask for a shorter period."


class NotOurs(Exception):
    """The simulation was cancelled, or another process has taken it up."""


class Stopping(Exception):
    """The process ends: another one takes the simulation up."""


class SimulationRunner:
    """Takes up simulations that wait, of all brands."""

    def __init__(self, database: Database, brands: BrandDirectory, regions: RegionTable) -> None:
        self._database = database
        self._brands = brands
        self._regions = regions
        self._is_stopping = False

    def stop(self) -> None:
        """Let the simulation in hand be left to others, soon."""
        self._is_stopping = True

    async def run_waiting(self) -> None:
        """Run the oldest simulation that waits of each brand, one after another."""
        for brand in await self._brands.all():
            if not self._is_stopping:
                await self.run_one(brand)

    async def run_one(self, brand: Brand) -> bool:
        """Run the oldest simulation of a brand that nobody runs; False where there is none.

        What it finds is kept with its state in one transaction. A simulation that is cancelled
        meanwhile stays so; one that fails says why; one whose process ends begins anew elsewhere,
        up to ATTEMPTS_MAX times.
        """
        principal = system_principal(brand.id, "simulations")
        claim = secrets.token_hex(8)
        async with self._database.tenant_transaction(principal) as tx:
            await tx.execute(SQL.give_simulations_up, tx.tenant_id, ATTEMPTS_MAX, GIVEN_UP)
            row = await tx.fetch_row(SQL.claim_simulation, tx.tenant_id, claim, LEASE_SECONDS)
        if row is None:
            return False
        taken = _Taken(self._database, principal, simulation_from(row), claim)
        try:
            await self._run(brand, taken)
        except NotOurs:
            log.info("simulation.left", tenant=brand.id, simulation=taken.asked.id)
        except Stopping:
            await taken.leave()
        except (DatabaseUnavailable, *CONNECTION_LOST):
            raise  # its lease ends, and it is taken up again
        except Exception as error:
            log.exception("simulation.failed", tenant=brand.id, simulation=taken.asked.id)
            await taken.fail(f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX])
        return True

    async def _run(self, brand: Brand, taken: "_Taken") -> None:
        async def report(done: int, total: int) -> None:
            if self._is_stopping:
                raise Stopping
            await taken.keep(done, total)

        found = await run_simulation(
            self._database,
            taken.principal,
            taken.asked,
            time_zone=brand.time_zone,
            regions=self._regions,
            report=report,
        )
        await taken.finish(found)


class _Taken:
    """A simulation that this process has claimed."""

    def __init__(
        self, database: Database, principal: Principal, asked: Simulation, claim: str
    ) -> None:
        self.principal = principal
        self.asked = asked
        self._database = database
        self._claim = claim

    async def keep(self, done: int, total: int) -> None:
        """Say how far it is, and keep the claim; raises NotOurs."""
        async with self._database.tenant_transaction(self.principal) as tx:
            kept = await tx.fetch_value(
                SQL.keep_simulation,
                tx.tenant_id,
                self.asked.id,
                self._claim,
                done,
                total,
                LEASE_SECONDS,
            )
        if kept is None:
            raise NotOurs

    async def leave(self) -> None:
        async with self._database.tenant_transaction(self.principal) as tx:
            await tx.execute(SQL.leave_simulation, tx.tenant_id, self.asked.id, self._claim)

    async def fail(self, error: str) -> None:
        async with self._database.tenant_transaction(self.principal) as tx:
            await tx.fetch_value(
                SQL.finish_simulation,
                tx.tenant_id,
                self.asked.id,
                self._claim,
                SimulationState.FAILED.value,
                None,
                error.replace("\0", ""),
                0,
            )

    async def finish(self, found: Finding) -> None:
        """Keep what was found; raises NotOurs, and then nothing is kept."""
        async with self._database.tenant_transaction(self.principal) as tx:
            kept = await tx.fetch_value(
                SQL.finish_simulation,
                tx.tenant_id,
                self.asked.id,
                self._claim,
                SimulationState.DONE.value,
                msgspec.json.encode(found.result).decode(),
                "",
                found.result.baseline.orders,
            )
            if kept is None:
                raise NotOurs
            columns = _columns(found.differences)
            await tx.execute(SQL.insert_differences, tx.tenant_id, self.asked.id, *columns)


def _columns(differences: Sequence[Difference]) -> list[list[object]]:
    """Return the columns of `insert_differences`."""
    sides = [(one.before, one.after) for one in differences]
    columns: list[list[object]] = [
        list(range(len(differences))),
        [one.order_id for one in differences],
    ]
    for column in (
        lambda side: " ".join(map(str, side.nodes)),
        lambda side: side.unplaced,
        lambda side: side.freight_minor,
        lambda side: side.cost_minor,
        lambda side: side.distance_m,
        lambda side: side.arrives_on,
    ):
        for at in (0, 1):
            columns.append([column(pair[at]) for pair in sides])
    return columns
