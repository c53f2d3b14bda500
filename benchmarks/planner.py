"""What one decision costs, by the size of the stack: time of a whole `plan` in four typical moments.

    python benchmarks/planner.py

Each service depends on an earlier one being healthy, in chains of seven, and has one container on one network. The
best of several runs is shown, so that the table is about the planner and not about its neighbours on the machine.
"""

from __future__ import annotations

import time

from orchestra.model.container import Condition, ContainerSpec, Dependency, Endpoint, HealthcheckSpec
from orchestra.model.desired import Desired, ImageSpec, NetworkSpec, Request
from orchestra.model.observed import Created, Observed
from orchestra.plan.done import judge_up
from orchestra.plan.plan import plan
from orchestra.plan.preview import preview
from orchestra.record import replace

SIZES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
CHAIN = 7
NOW = 100.0


def stack(size: int) -> Desired:
    containers = tuple(
        ContainerSpec(
            name=f"bench-s{number}-1",
            service=f"s{number}",
            index=1,
            image="app",
            config_hash="v1",
            rank=number % CHAIN,
            depends_on=(Dependency(f"s{number - 1}", Condition.HEALTHY),) if number % CHAIN else (),
            healthcheck=HealthcheckSpec(("true",)),
            endpoints=(Endpoint("bench_default"),),
        )
        for number in range(size)
    )
    return Desired(
        stack="bench",
        services=tuple(spec.service for spec in containers),
        containers=containers,
        networks=(NetworkSpec("default", "bench_default"),),
        images=(ImageSpec("app"),),
        request=Request(at=NOW),
    )


def best(call, budget: float = 0.5) -> float:
    """The shortest time of one call, in seconds, of as many as fit into ``budget`` seconds (two at least)."""
    times: list[float] = []
    while len(times) < 2 or sum(times) < budget:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def measure(size: int) -> tuple[float, ...]:
    desired = stack(size)
    up = preview(desired, Observed("bench"), NOW).observed
    nothing = replace(up, containers={})
    created = replace(up, containers={name: replace(c, status=Created()) for name, c in up.containers.items()})
    down = Desired("bench", services=desired.services, request=Request(at=NOW))
    settled = plan(desired, up, {}, NOW + 100)
    return (
        best(lambda: plan(desired, up, {}, NOW + 100)),
        best(lambda: plan(desired, nothing, {}, NOW)),
        best(lambda: plan(desired, created, {}, NOW)),
        best(lambda: plan(down, up, {}, NOW + 100)),
        best(lambda: judge_up(desired, up, settled, {}, NOW + 100, wait=True)),
        best(lambda: preview(desired, Observed("bench"), NOW)),
    )


def main() -> None:
    print("Milliseconds for one whole plan, and for one preview of everything from nothing.\n")
    moments = ("nothing to do", "all to be created", "all to be started", "all to be stopped", "is it up?", "preview")
    print(f"| containers | {' | '.join(moments)} |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for size in SIZES:
        cells = " | ".join(f"{seconds * 1000:.2f}" for seconds in measure(size))
        print(f"| {size:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
