"""podman and Docker with orchestra-runtime in place of their own runtime."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.oci_cli import engines
from tests.oci_cli.conftest import eventually

if TYPE_CHECKING:
    from subprocess import CompletedProcess

pytestmark = pytest.mark.timeout(120)


DRIVER = "--exec-opt=native.cgroupdriver=cgroupfs"


class Engine:
    """``podman`` or ``docker``, as far as their command lines are one."""

    def __init__(self, world, name, before, after) -> None:
        self.world, self.name, self.before, self.after = world, name, before, after

    def __call__(self, command, *words, **keys) -> CompletedProcess:
        more = self.after if command in ("run", "create") else ()
        return self.world.run(self.name, *self.before, command, *more, *words, **keys)

    def ok(self, command, *words, **keys):
        done = self(command, *words, **keys)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def make_podman(world):
    before = ("--cgroup-manager", "cgroupfs", "--runtime", engines.RUNTIME)
    return Engine(world, "podman", before, ("--network", "none"))


def make_docker(world):
    runtimes = json.dumps({"runtimes": {"orchestra": {"path": engines.RUNTIME}}})
    world.run("sh", "-c", "mkdir -p /etc/docker; cat > /etc/docker/daemon.json", input=runtimes)
    world.start("dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", DRIVER)
    docker = Engine(world, "docker", (), ("--network", "none", "--runtime", "orchestra"))
    eventually(lambda: docker("version").returncode == 0, seconds=40)
    return docker


@pytest.fixture(scope="module", params=["podman", "docker"])
def engine(request, tmp_path_factory, tree):
    root = engines.tree_with({"podman": "podman", "docker": "dockerd"}[request.param])
    world = engines.World(root, tmp_path_factory.mktemp("world"), tree)
    try:
        made = {"podman": make_podman, "docker": make_docker}[request.param](world)
        made.ok("import", engines.IMAGE, "box")
        yield made
    finally:
        world.close()


@pytest.fixture
def running(engine):
    """A container that sleeps, whose first process knows what to do with a signal."""
    script = "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    limits = ("--memory", "64m", "--pids-limit", "50")
    name = engine.ok("run", "--detach", *limits, "--name", f"c{os.urandom(4).hex()}", "box", "sh", "-c", script)
    eventually(lambda: "ready" in engine.ok("logs", name))
    yield name
    engine("rm", "--force", name)


def test_a_container_runs_to_its_end(engine):
    done = engine("run", "--rm", "box", "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (5, "out\n", "err")
    assert engine.ok("ps", "--all", "--quiet") == ""


def test_a_program_that_does_not_exist_exits_with_127(engine):
    assert engine("run", "--rm", "box", "nothing-of-this-name").returncode == 127


def test_options_of_the_engine_reach_the_container(engine):
    script = "id -u; hostname; touch /x 2>/dev/null || echo read-only; grep CapEff /proc/self/status"
    words = ("--rm", "--user", "7", "--hostname", "named", "--read-only", "--cap-drop", "ALL")
    said = engine.ok("run", *words, "box", "sh", "-c", script)
    assert said.split() == [
        "7",
        "named",
        "read-only",
        "CapEff:",
        "0000000000000000",
    ]


def test_one_more_program_is_executed(engine, running):
    done = engine("exec", "--user", "3:4", "--env", "WORD=said", running, "sh", "-c", "id -u; echo $WORD; exit 6")
    assert (done.returncode, done.stdout) == (6, "3\nsaid\n")


def test_limits_are_set_and_changed(engine, running):
    engine.ok("update", "--memory", "96m", "--memory-swap", "96m", running)
    files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
    found = engine("exec", running, "sh", "-c", f"cat {files}").stdout  # one of the two, as the version has it
    assert found.split() == [str(96 << 20)]


def test_a_signal_reaches_the_program(engine, running):
    engine.ok("kill", "--signal", "TERM", running)
    assert engine.ok("wait", running) == "7"
    assert engine.ok("logs", running).split() == ["ready", "told"]


def test_a_container_is_paused_and_resumed(engine, running):
    engine.ok("pause", running)
    assert engine.ok("inspect", "--format", "{{.State.Status}}", running) == "paused"
    engine.ok("unpause", running)
    assert engine.ok("exec", running, "echo", "goes on") == "goes on"


def test_a_container_is_stopped_started_and_removed(engine, running):
    engine.ok("stop", running)
    assert engine.ok("inspect", "--format", "{{.State.ExitCode}}", running) == "7"
    engine.ok("start", running)
    eventually(lambda: engine.ok("logs", running).count("ready") == 2)
    engine.ok("rm", "--force", running)
    assert running not in engine.ok("ps", "--all", "--quiet", "--no-trunc")


def test_a_container_has_a_terminal(engine):
    # The client's own has to be one as well: script(1) makes one.
    words = " ".join([engine.name, *engine.before, "run", "--rm", "--tty", *engine.after, "box", "tty"])
    done = engine.world.run("script", "-qec", words, "/dev/null")
    assert done.stdout.strip() == "/dev/pts/0", done.stderr


def test_processes_of_a_container_are_shown(engine, running):
    assert "sleep" in engine.ok("top", running) or "trap" in engine.ok("top", running)


def test_nothing_is_left_of_what_was_removed(engine):
    engine.ok("run", "--rm", "box", "true")
    where = ("find", "/run", "-path", "*runtime*", "-name", "state.json")
    eventually(lambda: engine.world.run(*where).stdout == "")


@pytest.mark.lacks(docker="its daemon has one for all of its containers, or none")
def test_a_container_in_a_user_namespace(engine):
    words = ("--rm", "--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000", "box", "sh", "-c")
    script = "id -u; cat /proc/self/uid_map; touch /etc/mine; stat -c %u /etc/mine"
    assert engine.ok("run", *words, script).split() == ["0", "0", "100000", "5000", "0"]


def test_an_image_that_orchestra_built_runs_and_keeps_its_id(engine):
    engine.ok("load", "--input", engines.BUILT)
    found = json.loads(engine.ok("image", "inspect", "built:1"))[0]["Id"]
    assert found.removeprefix("sha256:") == engine.world.built.removeprefix("sha256:")
    assert engine("run", "--rm", "built:1").stdout == engines.SAID
