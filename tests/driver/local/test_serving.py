"""What the driver of this machine keeps open while a stack is served."""

from __future__ import annotations

import os
import threading

import anyio
import pytest
from anyio.to_thread import run_sync

from orchestra.driver.local.driver import open_driver
from orchestra.driver.local.net.watch import NetworkWatch
from orchestra.home import Home
from orchestra.linux import private_files
from tests.plan import stacks

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="networks need root"),
]


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_a_look_that_is_under_way_when_all_is_cancelled_ends_without_a_fault(tmp_path, monkeypatch):
    """As when the fork server is killed: all tasks are cancelled at once, but a thread cannot be."""
    home = Home(f"{tmp_path}/data", f"{tmp_path}/run")
    private_files.make_directories(home.stack("stack").run)
    begun, released, looked = threading.Event(), threading.Event(), []
    look = NetworkWatch.look

    def slow_look(watch):
        begun.set()
        assert released.wait(10)
        looked.append(look(watch))
        return looked[-1]

    monkeypatch.setattr(NetworkWatch, "look", slow_look)
    monkeypatch.setattr(NetworkWatch, "losses", lambda _watch: "")  # the task that owns the watch is not in a thread

    driver = open_driver(home, "stack")
    desired = stacks.stack(stacks.service("web"), name="stack")

    async def serve():
        async with driver.serving(), anyio.create_task_group() as looks:
            for network in desired.networks:
                await driver.create_network(network)
            looks.start_soon(driver.observe, desired)
            await anyio.sleep_forever()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            assert await run_sync(begun.wait, 10)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
            released.set()
        assert {} in looked
    finally:
        async with driver.serving():
            for network in desired.networks:
                await driver.remove_network(network.name)
