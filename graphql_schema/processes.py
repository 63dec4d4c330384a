"""How orders, their units and fulfilments go from state to state: the machines, as data."""

import strawberry

from backend.machines import START, Machine
from backend.processes import MACHINES


@strawberry.type(description="One way from states to states.")
class ProcessStep:
    name: str
    sources: list[str] = strawberry.field(description="None: it makes something new.")
    targets: list[str] = strawberry.field(description="More than one where it depends.")
    permission: str | None = strawberry.field(description="None: Yipan does it by itself.")
    stock: str | None = strawberry.field(description="The movements that come with it.")
    event: str | None


@strawberry.type(description="The states of a thing, and the steps between them.")
class ProcessMachine:
    name: str
    title: str = strawberry.field(description="What users call it, in Chinese.")
    states: list[str]
    final: list[str]
    steps: list[ProcessStep]


def machine_from(machine: Machine) -> ProcessMachine:
    return ProcessMachine(
        name=machine.name,
        title=machine.title,
        states=list(machine.states),
        final=sorted(machine.final),
        steps=[
            ProcessStep(
                name=step.name,
                sources=sorted(step.sources - {START}),
                targets=sorted(step.targets),
                permission=step.by or None,
                stock=step.stock or None,
                event=step.event or None,
            )
            for step in machine.steps
        ],
    )


@strawberry.type
class ProcessesQuery:
    @strawberry.field(description="The state machines of orders, their units and fulfilments.")
    def order_process(self) -> list[ProcessMachine]:
        return [machine_from(machine) for machine in MACHINES]
