"""User and time namespaces behind a shim: layers, streams, executions, and what is left when it is killed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from orchestra.shim import client
from tests.shim.conftest import eventually
from tests.shim.test_streams import Attached

MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]
OFFSETS = {"boottime": {"secs": 864000}}


def isolated(stack, *args, **keys):
    container = stack.container(*args, **keys)
    linux = container.config["linux"]
    linux["namespaces"] += [{"type": "user"}, {"type": "time"}]
    linux["uidMappings"] = linux["gidMappings"] = MAPS
    linux["timeOffsets"] = OFFSETS
    container.write()
    return container


def test_a_container_of_layers_in_a_user_namespace(stack):
    """An overlay whose files nobody in it owns: shown, not changed, since it is not mapped."""
    script = "id -u; cat /etc/secret; read up idle < /proc/uptime; echo $up; touch /etc/x 2>/dev/null || echo no"
    uid, secret, uptime, word = isolated(stack, "sh", "-c", script).finish()
    assert (uid, secret, word) == ("0", "secret", "no")
    assert float(uptime) > 864000


def test_streams_are_the_mapped_users(stack):
    container = isolated(stack, "sh", "-c", "cat; echo by name > /dev/stdout", stdin=True, user={"uid": 5, "gid": 5})
    container.run()
    assert Path(container.directory, "stdout").stat().st_uid == 100005
    with Attached(container) as attached:
        attached.send(b"typed\n")
        attached.until(b"typed\n")


def test_a_terminal_in_a_user_namespace(stack):
    container = isolated(stack, "sh", "-c", "tty; stat -c %u /dev/console", terminal=True)
    assert [line.strip() for line in container.finish()] == ["/dev/pts/0", "0"]


def test_a_program_is_executed_in_all_of_them(stack):
    container = isolated(stack, "sleep", "60")
    container.run()
    script = "id -u; for kind in user time mnt pid; do readlink /proc/self/ns/$kind; done"
    code, said = container.output_of("sh", "-c", script)
    pid = container.state().pid
    assert code == 0
    assert said.split() == ["0", *(os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("user", "time", "mnt", "pid"))]


def test_the_first_process_is_the_shims_child_and_a_root_of_its_own(stack):
    container = isolated(stack, "sleep", "60")
    container.run()
    status = Path(f"/proc/{container.state().pid}/status").read_text()
    assert int(re.search(r"PPid:\t(\d+)", status)[1]) == container.shim.pid
    assert re.search(r"NSpid:\t\d+\t1\n", status)
    assert re.search(r"Uid:\t(\d+)", status)[1] == "100000"


def test_a_reaper_is_the_first_process_in_a_user_namespace(stack):
    container = isolated(stack, "sh", "-c", "echo $$; exit 3", annotations={"io.orchestra.init": "true"})
    container.run()
    assert container.wait().exit_code == 3
    assert container.texts("stdout") == ["2"]


@pytest.mark.parametrize("field", ["uidMappings", "gidMappings"])
def test_maps_that_cannot_be_leave_nothing(stack, field):
    container = isolated(stack, "sleep", "60")
    container.config["linux"][field] = [*MAPS, *MAPS]
    container.write()
    with pytest.raises(OSError, match="must not overlap"):
        container.create()
    assert container.leftovers() == []


def test_another_shim_takes_over_a_container_in_a_user_namespace(stack):
    container = isolated(stack, "sh", "-c", "while :; do sleep 0.05; done")
    container.run()
    shim = container.shim
    container.kill_shim()
    eventually(lambda: container.shim != shim)
    client.kill(container.directory, signal.SIGKILL)
    assert container.wait().exit_code == 137
    assert container.leftovers() == []
