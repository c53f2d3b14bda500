"""The server by itself, with commands that do what is hard to time with a real stack."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import anyio
import anyio.to_thread
import pytest

from orchestra import __version__
from orchestra.engine.broadcast import Broadcast
from orchestra.home import Home
from orchestra.linux import unix_socket
from orchestra.state.event import BlockedEvent
from orchestra.supervisor import wire
from orchestra.supervisor.client import Client
from orchestra.supervisor.server import Server

pytestmark = pytest.mark.anyio


async def test_an_event_of_the_last_moment_is_heard_before_the_answer(tmp_path):
    broadcast = Broadcast()
    heard = []

    async def ping(_request):
        await anyio.wait_all_tasks_blocked()
        broadcast.send(BlockedEvent(1.0, ()))
        return {"pong": len(heard)}

    commands = SimpleNamespace(
        **dict.fromkeys(("up", "down", "stop", "observe", "attend", "settle", "events", "ping"), ping)
    )
    home = Home(f"{tmp_path}/data", f"{tmp_path}/run").stack("s")
    (tmp_path / "run/stacks/s").mkdir(parents=True)
    with unix_socket.listen(home.control_socket) as listening:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Server(commands, broadcast, "s").serve, listening)
            message = wire.encode({"op": "ping", "version": __version__})
            with anyio.fail_after(10):
                ask = partial(Client(home).ask, message, heard.append)
                answer = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
            tasks.cancel_scope.cancel()
    broadcast.close()
    assert answer == {"pong": 0}
    assert len(heard) == 1
