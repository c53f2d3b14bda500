"""Rules and names that follow containers: what is computed anew, and when."""

from __future__ import annotations

import anyio
import pytest

from orchestra.driver.local.projections import Projections
from orchestra.errors import FatalError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Calls(list[str]):
    """Notes what is called. failing: what fails the next time."""

    failing = ""

    def of(self, name: str):
        def call() -> None:
            self.append(name)
            if self.failing == name:
                self.failing = ""
                raise FatalError(f"{name} failed")

        return call


@pytest.fixture
async def calls():
    return Calls()


@pytest.fixture
async def projections(calls):
    made = Projections(calls.of("restore"), calls.of("apply"), calls.of("publish"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.run)
        await made.settle()
        yield made
        tasks.cancel_scope.cancel()


async def test_rules_are_computed_only_when_something_happens_that_they_depend_on(projections, calls):
    for rules in (False, True, False):
        projections.ask(rules=rules)
        assert projections.rules_are_pending is rules
        await projections.settle()
    assert calls == ["restore", "publish", "apply", "publish"]


async def test_what_is_asked_for_meanwhile_is_done_once(projections, calls):
    for rules in (False, True, False, False):
        projections.ask(rules=rules)
    await projections.settle()
    assert calls == ["restore", "apply"]


async def test_rules_that_could_not_be_applied_are_not_forgotten(projections, calls):
    calls.failing = "apply"
    projections.ask()
    with pytest.raises(FatalError, match="apply failed"):
        await projections.settle()
    await projections.settle()
    assert calls == ["restore", "apply", "apply"]
    projections.ask(rules=False)
    await projections.settle()
    assert calls[3:] == ["publish"]
