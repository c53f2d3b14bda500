"""Steps of the driver that take turns in threads."""

from __future__ import annotations

import threading

import anyio
import pytest

from orchestra.driver.local import turns
from orchestra.driver.local.turns import AT_ONCE, Turns

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def take_many(taken: Turns, steps) -> None:
    async with anyio.create_task_group() as tasks:
        for step in steps:
            tasks.start_soon(taken.take, step)


async def test_few_steps_are_under_way_at_once():
    lock = threading.Lock()
    under_way = most = 0

    def step() -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        with lock:
            under_way -= 1

    await take_many(Turns(), [step] * 40)
    assert under_way == 0
    assert 1 <= most <= AT_ONCE


async def test_steps_that_hang_keep_no_other_from_its_turn(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    others_are_done = threading.Event()
    left = [None] * 10

    def hang() -> None:
        assert others_are_done.wait(10)

    def step() -> None:
        left.pop()
        if not left:
            others_are_done.set()

    await take_many(Turns(), [hang] * AT_ONCE + [step] * len(left))
    assert others_are_done.is_set()


async def test_a_step_that_fails_or_is_cancelled_gives_its_turn_back():
    taken = Turns()

    def fail() -> None:
        raise ValueError("no")

    for _ in range(AT_ONCE):
        with pytest.raises(ValueError, match="no"):
            await taken.take(fail)
    for _ in range(AT_ONCE):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await taken.take(fail)
    assert await taken.take(lambda: "mine") == "mine"
