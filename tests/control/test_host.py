"""The supervisor as clients meet it: over its socket, on a fake world."""

from __future__ import annotations

import json
import os
import stat
import time

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from orchestra import __version__
from orchestra.control import wire
from orchestra.control.desired_file import load_desired
from orchestra.control.host import ForkServer, Host
from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.program import Program, Run, one_shot
from orchestra.errors import EnvironmentLack, FatalError, OrchestraError, TemporaryError
from orchestra.linux import unix_socket
from orchestra.model.codec import encode
from orchestra.model.event import ActionEvent, ContainerEvent, SnapshotEvent
from orchestra.model.observed import Exited, Running
from orchestra.model.request import (
    AttendRequest,
    DownRequest,
    EventsRequest,
    ObserveRequest,
    PingRequest,
    StopRequest,
    UpRequest,
)
from orchestra.model.result import DownResult
from orchestra.model.wish import Recreate
from orchestra.record import replace
from tests.plan.stacks import service, stack

pytestmark = pytest.mark.anyio


def two_services():
    return stack(service("db"), service("web", "db"))


async def test_up_tells_events_first_and_then_what_runs(supervised):
    s = supervised()
    heard = []
    async with s.running():
        result = await s.up(two_services(), heard.append)
    assert [(row.name, row.state) for row in result.containers] == [
        ("s-db-1", "running"),
        ("s-web-1", "running"),
    ]
    assert result.failures == ()
    assert not result.timed_out
    done = [str(e.resource) for e in heard if isinstance(e, ActionEvent) and (e.verb, e.phase) == ("start", "done")]
    assert done == ["container/s-db-1", "container/s-web-1"]


async def test_what_was_asked_for_is_on_disk(supervised):
    s = supervised()
    async with s.running():
        await s.up(two_services())
        kept = load_desired(s.home)
    assert [spec.name for spec in kept.containers] == ["s-db-1", "s-web-1"]
    found = await anyio.Path(s.home.desired).stat()
    assert stat.S_IMODE(found.st_mode) == 0o600


async def test_another_supervisor_carries_on_and_changes_nothing(supervised):
    s = supervised()
    async with s.running():
        await s.up(two_services())
    before = len(s.world.journal)
    async with s.running():
        observed = (await s.ask(ObserveRequest())).observed
    assert all(isinstance(container.status, Running) for container in observed.containers.values())
    assert len(observed.containers) == 2
    assert len(s.world.journal) == before


async def test_down_ends_the_supervisor_and_forgets_what_was_asked(supervised):
    s = supervised()
    async with s.running():
        await s.up(two_services())
        result = await s.ask(DownRequest())
        assert result == DownResult(leaving=True)
        with anyio.fail_after(5):
            await s.ended.wait()
    assert not await anyio.Path(s.home.desired).exists()
    assert [name for _, name in s.happened("stopping")] == ["s-web-1", "s-db-1"]
    assert not s.world.observed.containers
    assert not s.world.observed.networks


async def test_a_supervisor_of_which_nothing_is_wanted_waits_for_a_client_that_is_connected(supervised):
    s = supervised()
    connection = unix_socket.connect(s.home.control_socket)
    async with s.running():
        greeting = json.loads(await anyio.to_thread.run_sync(connection.recv, 1000))
        assert greeting["stack"] == "s"
        assert not s.ended.is_set()
        connection.close()
        with anyio.fail_after(5):
            await s.ended.wait()


async def test_two_ups_at_once_both_wait_for_the_merged_result(supervised):
    s = supervised(web=Program(start_seconds=0.2))
    both = stack(service("db"), service("web"))
    results = []

    async def bring_up(name):
        only = replace(both, containers=both.replicas(name))
        results.append(await s.up(only, services=(name,)))

    async with s.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bring_up, "db")
            tasks.start_soon(bring_up, "web")
        kept = load_desired(s.home)
    assert sorted(row.name for result in results for row in result.containers) == ["s-db-1", "s-web-1"]
    assert sorted(name for _, name in s.happened("started")) == ["s-db-1", "s-web-1"]
    assert [spec.name for spec in kept.containers] == ["s-db-1", "s-web-1"]


async def test_an_up_that_is_asked_again_after_a_stop_starts_nothing(supervised):
    """Its supervisor was killed, and the next one hears of the stop first."""
    s = supervised()
    async with s.running():
        await s.up(two_services())
        await s.ask(StopRequest(("web",)))
        await s.up(two_services(), asked_at=time.time() - 60)
        assert s.states() == {"s-db-1": Running, "s-web-1": Exited}
        await s.up(two_services())
        assert s.states() == {"s-db-1": Running, "s-web-1": Running}


async def test_an_up_that_is_asked_again_after_a_down_is_refused(supervised):
    s = supervised()
    async with s.running():
        await s.up(two_services())
        with unix_socket.connect(s.home.control_socket):  # so that it does not leave
            await s.ask(DownRequest())
            with pytest.raises(OrchestraError, match="another command has taken the stack down"):
                await s.up(two_services(), asked_at=time.time() - 60)
            assert s.states() == {}


async def test_a_stop_ends_when_an_up_wants_the_services_again(supervised):
    s = supervised(web=Program((Run(stops_after=None),)))
    async with s.running():
        await s.up(two_services())
        async with anyio.create_task_group() as tasks:

            async def stop_patiently():
                with pytest.raises(OrchestraError, match="another command has started web in the meantime"):
                    await s.ask(StopRequest(("web",)))
                await s.ask(StopRequest(("web",), timeout=0.0))

            tasks.start_soon(stop_patiently)
            while not s.happened("stopping"):
                await s.ask(PingRequest())
            await s.up(two_services())
    assert [entry.exit_code for entry in s.world.journal if entry.what == "exited"] == [137]


async def test_a_client_that_hangs_up_does_not_stop_the_work(supervised):
    s = supervised(db=Program(start_seconds=0.1))
    async with s.running():
        connection = unix_socket.connect(s.home.control_socket)
        connection.sendall(wire.encode_request(UpRequest(), json.dumps(encode(two_services())).encode()))
        assert await anyio.to_thread.run_sync(connection.recv, 10)
        connection.close()
        with anyio.fail_after(5):
            while len(s.happened("started")) < 2:
                await s.ask(PingRequest())
    assert [name for _, name in s.happened("started")] == ["s-db-1", "s-web-1"]


async def test_what_has_gone_back_is_written_down_although_the_supervisor_that_was_asked_is_killed(supervised):
    s = supervised()
    old, new = stack(service("web")), stack(service("web", config_hash="web v2"))
    async with s.running():
        await s.up(old)
        s.faults.latency = 1e6  # nothing is done any more
        with unix_socket.connect(s.home.control_socket) as connection:
            request = UpRequest(asked_at=time.time())
            connection.sendall(wire.encode_request(request, json.dumps(encode(new)).encode()))
            while load_desired(s.home).containers[0].config_hash != "web v2":
                await anyio.lowlevel.checkpoint()
    s.faults.latency = 0.0
    s.faults.fail("check", "s-web-1", [FatalError("the kernel will not")])
    async with s.running():
        with anyio.fail_after(10):
            while load_desired(s.home).containers[0].config_hash != "web v1":
                await s.ask(PingRequest())
    assert load_desired(s.home).earlier == ()
    assert s.happened("stopping") == []


async def test_a_failed_up_takes_nothing_back_and_the_next_one_carries_on(supervised):
    s = supervised()
    s.world.available = {"y": "sha256:y"}
    desired = stack(service("db", image="missing"))
    async with s.running():
        result = await s.up(desired)
        assert [str(failure.resource) for failure in result.failures] == ["image/missing"]
        assert list(s.world.observed.networks) == ["s_default"]
        assert load_desired(s.home).containers == desired.containers
        s.world.available["missing"] = "sha256:missing"
        assert (await s.up(desired)).failures == ()
        assert list(s.world.observed.containers) == ["s-db-1"]
        assert (await s.ask(DownRequest())).leaving
        with anyio.fail_after(5):
            await s.ended.wait()
    assert not s.world.observed.containers
    assert not s.world.observed.networks
    assert not await anyio.Path(s.home.desired).exists()


async def test_what_did_start_stays_when_another_service_fails(supervised):
    s = supervised()
    s.world.available = {"app": "sha256:app"}
    async with s.running():
        await s.up(stack(service("db")))
        result = await s.up(stack(service("db"), service("web", image="missing")))
        assert [str(failure.resource) for failure in result.failures] == ["image/missing"]
        again = (await s.ask(ObserveRequest())).observed
    assert list(again.containers) == ["s-db-1"]
    assert [spec.name for spec in load_desired(s.home).containers] == ["s-db-1", "s-web-1"]


async def test_waiting_for_health_ends_at_its_limit(supervised):
    s = supervised(db=Program((Run(healthy_from=None),)))
    desired = stack(service("db", healthy=True))
    async with s.running():
        result = await s.up(desired, wait=True, wait_timeout=0.3)
    assert result.timed_out


async def test_stop_keeps_containers_and_the_next_up_starts_them(supervised):
    s = supervised()
    async with s.running():
        await s.up(two_services())
        await s.ask(StopRequest())
        stopped = (await s.ask(ObserveRequest())).observed
        assert not any(isinstance(c.status, Running) for c in stopped.containers.values())
        await s.up(two_services())
    assert [name for _, name in s.happened("started")] == ["s-db-1", "s-web-1"] * 2
    assert [name for _, name in s.happened("created") if name.startswith("s-")] == ["s-db-1", "s-web-1"]


async def test_a_second_stop_with_no_time_kills_what_ignores_the_first(supervised):
    s = supervised(db=Program((Run(stops_after=None),)))
    async with s.running():
        await s.up(stack(service("db")))
        async with anyio.create_task_group() as tasks:

            async def stop_patiently():
                await s.ask(StopRequest())

            tasks.start_soon(stop_patiently)
            with anyio.fail_after(5):
                while not s.happened("stopping"):
                    await s.ask(PingRequest())
                await s.ask(StopRequest(timeout=0.0))
    assert [entry.exit_code for entry in s.world.journal if entry.what == "exited"] == [137]


async def test_attending_ends_when_every_program_has_ended_for_good(supervised):
    s = supervised(job=one_shot(0.2, exit_code=3), quick=one_shot(0.05))
    async with s.running():
        await s.up(stack(service("job"), service("quick")))
        result = await s.ask(AttendRequest())
    codes = [(row.service, row.exit_code) for row in result.exits]
    assert codes == [("quick", 0), ("job", 3)]


async def test_events_come_until_the_supervisor_leaves(supervised):
    s = supervised()
    heard = []
    async with s.running():
        await s.up(stack(service("db")))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(s.ask, EventsRequest(), heard.append)
            with anyio.fail_after(5):
                while not heard:
                    await s.up(stack(service("db")), recreate=Recreate.ALWAYS)
                await s.ask(DownRequest())
    changes = [event.change for event in heard if isinstance(event, ContainerEvent)]
    assert changes[-2:] == ["exited", "removed"]


async def test_who_begins_to_listen_is_told_how_things_stand(supervised):
    s = supervised(job=one_shot(0.05, exit_code=3))
    heard = []
    async with s.running():
        await s.up(stack(service("db", healthy=True), service("job")))
        await s.ask(AttendRequest(services=("job",)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(s.ask, EventsRequest(), heard.append)
            with anyio.fail_after(5):
                while not heard:
                    await s.ask(PingRequest())
            await s.ask(DownRequest())
    first, *changes = heard
    assert [(state.name, state.state) for state in first.containers] == [("s-db-1", "running"), ("s-job-1", "exited")]
    assert first.under_way == first.blocked == ()
    # What follows are the changes of just this, and not told twice.
    removed = [event.container for event in changes if isinstance(event, ContainerEvent) and event.change == "removed"]
    assert sorted(removed) == [state.name for state in first.containers]
    assert not any(isinstance(event, SnapshotEvent) for event in changes)


async def test_a_client_of_another_version_gets_a_hint(supervised):
    s = supervised()
    connection = unix_socket.connect(s.home.control_socket)
    async with s.running():
        connection.sendall(wire.encode({"op": "ping", "version": "0.0.1"}))
        reader = connection.makefile("rb")
        await anyio.to_thread.run_sync(reader.readline)
        error = json.loads(await anyio.to_thread.run_sync(reader.readline))["error"]
        reader.close()
        connection.close()
    assert "0.0.1" in error["message"]
    assert f"kill {os.getppid()}" in error["hint"]


async def test_a_supervisor_of_a_later_version_is_noticed(supervised):
    s = supervised()

    def answer():
        connection, _ = s.listening.accept()
        connection.sendall(wire.encode({"orchestra": "9.9", "stack": "s", "supervisor": 1, "fork_server": 42}))
        connection.recv(1000)
        connection.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, answer)
        with pytest.raises(OrchestraError, match=r"orchestra 9\.9") as caught:
            await s.ask(PingRequest())
    assert "use that version" in caught.value.hint


async def test_a_fork_server_that_cannot_be_replaced_is_tried_again(supervised, capfd):
    s, tries = supervised(), []
    reader, writer = os.pipe()
    os.close(writer)  # its end
    async with s.running():
        await s.up(two_services())

    def replace_it():
        tries.append(s.home)
        if len(tries) < 3:
            raise TemporaryError("no space is left")

    with anyio.fail_after(10), s.listening.dup() as control:
        await Host(s.home, FakeDriver(s.world)).run(control, ForkServer(reader, -1, replace_it))
    os.close(reader)
    assert len(tries) == 3
    said = [line for line in capfd.readouterr().err.splitlines() if "trying again" in line]
    assert said == [f"no space is left: trying again in {delay} s" for delay in ("0.00", "0.05")]


@pytest.mark.parametrize("line", [b"not json\n", b"[]\n", b'{"op": "dance", "version": "%s"}\n' % __version__.encode()])
async def test_nonsense_is_answered_with_an_error(supervised, line):
    s = supervised()
    connection = unix_socket.connect(s.home.control_socket)
    async with s.running():
        connection.sendall(line)
        reader = connection.makefile("rb")
        await anyio.to_thread.run_sync(reader.readline)
        assert "error" in json.loads(await anyio.to_thread.run_sync(reader.readline))
        reader.close()
        connection.close()


async def test_a_broken_conversation_is_begun_again(supervised):
    s = supervised()

    def hang_up():
        connection, _ = s.listening.accept()
        connection.close()

    answered = anyio.Event()

    async def bring_up():
        await s.up(stack(service("db")))
        answered.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bring_up)
        await anyio.to_thread.run_sync(hang_up)
        with anyio.fail_after(5):
            async with s.running():
                await answered.wait()
    assert s.happened("started") == [("started", "s-db-1")]


async def test_a_supervisor_that_keeps_ending_is_an_error_that_names_its_log(supervised):
    s = supervised()

    def hang_up():
        for _ in range(5):
            connection, _ = s.listening.accept()
            connection.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, hang_up)
        with pytest.raises(EnvironmentLack) as caught:
            await s.ask(PingRequest())
    assert s.home.supervisor_log in caught.value.hint


async def test_down_of_a_service_takes_its_dependents_along_and_leaves_the_rest(supervised):
    s = supervised()
    three = stack(service("db", volumes=["data"]), service("web", "db"), service("log", volumes=["lines"]))
    async with s.running():
        await s.up(three)
        result = await s.ask(DownRequest(three.services, ("db",), remove_volumes=True))
        assert result == DownResult()
        assert [name for _, name in s.happened("stopping")] == ["s-web-1", "s-db-1"]
        assert set(s.world.observed.containers) == {"s-log-1"}
        assert [spec.name for spec in load_desired(s.home).containers] == ["s-log-1"]
        with pytest.raises(OrchestraError, match="no such service: nobody"):
            await s.ask(DownRequest(selected=("nobody",)))
        result = await s.ask(DownRequest(three.services, ("log",), remove_volumes=True))
        assert result == DownResult(leaving=True)
    assert not s.world.observed.networks
    assert set(s.world.observed.volumes) == {"s_data", "s_lines"}, "only the whole stack takes those along"
