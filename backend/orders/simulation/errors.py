"""Refusals of simulations."""

from backend.db.errors import YipanError


class InvalidPeriod(YipanError):
    """A simulation needs a period of the past: since, before until, and at most 400 days."""

    code = "INVALID_PERIOD"


class UnknownSimulation(YipanError):
    """There is no simulation with this id; see the query routingSimulations."""

    code = "UNKNOWN_SIMULATION"


class SimulationEnded(YipanError):
    """The simulation has ended: there is nothing to cancel. Start another one."""

    code = "SIMULATION_ENDED"


class TooManySimulations(YipanError):
    """So many simulations wait already; cancel one, or wait until they are done."""

    code = "TOO_MANY_SIMULATIONS"
