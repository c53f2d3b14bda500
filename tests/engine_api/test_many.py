"""What it costs to ask about one container does not grow with the number of containers."""

from __future__ import annotations

import pytest

from tests.examples.conftest import needs_containers

pytestmark = [*needs_containers, pytest.mark.xdist_group("engine_api")]


def reads_of(process, ask):
    """How many system calls for reading one answer takes, proc_pid_io(5)."""

    def count():
        with open(f"/proc/{process.pid}/io", encoding="ascii") as file:
            return int(dict(line.split(": ") for line in file)["syscr"])

    ask()  # an id is looked for among all containers once
    before = count()
    for _ in range(10):
        ask()
    return (count() - before) / 10


def test_one_container_is_found_without_a_look_at_the_others(engine, served):
    first = engine.create("first", "true")
    questions = {
        "by name": lambda: engine.get("/containers/first/json"),
        "by id": lambda: engine.get(f"/containers/{first}/json"),
        "of a stack": lambda: engine.get("/containers/shop-db-1/json"),
    }
    few = {kind: reads_of(served.process, ask) for kind, ask in questions.items()}
    for number in range(20):
        engine.create(f"more{number}", "true")
    many = {kind: reads_of(served.process, ask) for kind, ask in questions.items()}
    assert {kind: round(count - few[kind]) for kind, count in many.items()} == dict.fromkeys(questions, 0)
