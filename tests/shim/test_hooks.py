"""OCI runtime specification, config: "POSIX-platform Hooks", behind a shim; runtime: "Lifecycle"."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestra.shim import client
from tests.shim.conftest import eventually

ORDER = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
SCRIPT = 'cat > "$0.$$"; mv "$0.$$" "$0"; readlink /proc/self/ns/mnt > "$0.mount"; echo "${0##*/}" >> LOG'


def hooked(container, tmp_path, kinds=ORDER, script=SCRIPT):
    log = tmp_path / "order"
    log.touch()
    container.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", script.replace("LOG", str(log)), f"{tmp_path}/{kind}"]}]
        for kind in kinds
    }
    container.write()
    return log


def told(tmp_path, kind):
    return json.loads((tmp_path / kind).read_text())


def test_hooks_run_in_order_and_get_the_state(stack, tmp_path):
    container = stack.container("true", annotations={"org.example": "word"})
    log = hooked(container, tmp_path)
    container.create()
    pid = container.state().pid
    assert log.read_text().split() == ORDER[:3]
    client.start(container.directory)
    container.wait()
    assert log.read_text().split() == ORDER
    statuses = {kind: told(tmp_path, kind)["status"] for kind in ORDER}
    assert statuses == dict(zip(ORDER, ["created", "creating", "creating", "running", "stopped"], strict=True))
    state = told(tmp_path, "createRuntime")
    assert state["id"] == container.name
    assert state["pid"] == pid
    assert state["bundle"] == container.directory
    assert state["annotations"] == {"org.example": "word"}


def test_hooks_run_on_the_host_or_in_the_container(stack, tmp_path):
    container = stack.container("sleep", "60")
    hooked(container, tmp_path)
    container.run()
    inside = os.readlink(f"/proc/{container.state().pid}/ns/mnt")
    places = {kind: (tmp_path / f"{kind}.mount").read_text().strip() for kind in ORDER[:4]}
    here = os.readlink("/proc/self/ns/mnt")
    assert places == {"prestart": here, "createRuntime": here, "createContainer": inside, "poststart": here}


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_fails_the_creation_and_the_last_ones_run(stack, tmp_path, kind):
    container = stack.container("sleep", "60")
    log = hooked(container, tmp_path, ["poststop"])
    container.config["hooks"][kind] = [{"path": "/bin/sh", "args": ["sh", "-c", "echo no good; exit 3"]}]
    container.write()
    with pytest.raises(OSError, match=f"{kind} hook.*no good"):
        container.create()
    assert container.leftovers() == []
    assert log.read_text().split() == ["poststop"]


def test_a_hook_after_the_start_that_fails_stops_the_container(stack):
    container = stack.container("sleep", "60")
    container.config["ociVersion"] = "1.3.0"
    container.config["hooks"] = {"poststart": [{"path": "/bin/false"}]}
    container.write()
    with pytest.raises(OSError, match="poststart hook"):
        container.run()
    assert container.wait().exit_code == 137
    assert container.leftovers() == []


def test_a_last_hook_that_fails_is_said_in_the_log_of_the_stack(stack, tmp_path):
    container = stack.container("true")
    log = hooked(container, tmp_path, ["poststop"])
    container.config["hooks"]["poststop"].insert(0, {"path": "/bin/false"})
    container.write()
    container.finish()
    assert log.read_text().split() == ["poststop"]
    assert "poststop hook /bin/false" in Path(stack.home.supervisor_log).read_text()


def test_a_start_hook_runs_in_the_container(stack):
    container = stack.container("sleep", "60")
    hook = {"path": "/usr/bin/sh", "args": ["sh", "-c", "cat /etc/secret; exit 3"]}
    container.config["hooks"] = {"startContainer": [hook]}
    container.write()
    with pytest.raises(OSError, match=r"startContainer hook.*secret"):
        container.run()


def test_last_hooks_run_when_another_shim_ends_the_run(stack, tmp_path):
    container = stack.container("sleep", "60")
    log = hooked(container, tmp_path, ["poststop"])
    container.run()
    shim = container.shim
    container.kill_shim()
    eventually(lambda: container.shim != shim)
    client.kill(container.directory, signal.SIGKILL)
    container.wait()
    assert log.read_text().split() == ["poststop"]


def test_a_hook_that_takes_long_keeps_no_other_container_waiting(stack, tmp_path):
    slow, other = stack.container("true", name="slow"), stack.container("true", name="other")
    os.mkfifo(tmp_path / "gate")
    hooked(slow, tmp_path, ["createRuntime"], f"read word < {tmp_path}/gate")
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(slow.run)
        with open(tmp_path / "gate", "w") as gate:
            # The hook has opened it and reads: it is under way.
            assert other.finish() == []
            assert not starting.done()
            gate.write("go\n")
        starting.result(30)
    assert slow.wait().exit_code == 0
