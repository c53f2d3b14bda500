"""``volume`` lists, makes and removes volumes of every stack, and never one that a container may need."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestra.driver.local.volume.store import VolumeRecord, make_volume
from orchestra.model.observed import Container, Created
from tests.examples.conftest import needs_containers

ANONYMOUS = "a" * 64


@pytest.fixture
def make(home):
    """Make a volume of a stack with a file in it; the directory of its data."""

    def make(name: str, stack: str = "", **more) -> Path:
        make_volume(home, VolumeRecord(name, stack, time.time(), **more))
        data = Path(home.volumes) / name / "_data"
        (data / "file").write_text("x" * 8192)
        return data

    return make


def names(orchestra, *words):
    code, out, err = orchestra("volume", "ls", "-q", *words)
    assert (code, err) == (0, "")
    return out.split()


def container(name="s-web-1", volumes=(), service="web"):
    return Container(name, service, 1, "id", "hash", "i", "digest", Created(), time.time(), volumes=volumes)


def test_volumes_are_made_listed_and_removed(orchestra, home):
    assert orchestra("volume", "create", "--label", "kept=yes", "--label", "plain", "data") == (0, "data\n", "")
    assert orchestra("volume", "create", "data") == (0, "data\n", "")
    code, unnamed, err = orchestra("volume", "create")
    assert (code, err, len(unnamed)) == (0, "", 65)
    assert set(names(orchestra)) == {"data", unnamed.strip()}
    assert orchestra("volume", "ls", "--filter", "name=dat")[1] == "DRIVER   VOLUME NAME\nlocal    data\n"
    (row,) = json.loads(orchestra("volume", "inspect", "data")[1])
    assert row.pop("CreatedAt").endswith("Z")
    assert row == {
        "Driver": "local",
        "Labels": {"kept": "yes", "plain": ""},
        "Mountpoint": f"{home.volumes}/data/_data",
        "Name": "data",
        "Options": {},
        "Scope": "local",
        "Stack": "",
    }
    assert orchestra("volume", "inspect", "-f", "{{.Labels.kept}}", "data")[1] == "yes\n"
    assert orchestra("volume", "rm", "data") == (0, "data\n", "Total reclaimed space: 0B\n")
    assert names(orchestra) == [unnamed.strip()]
    assert not [name for name in os.listdir(home.volumes) if name.startswith(".")]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("name=at",), ["data", "mate"]),
        (("name=dat", "name=mat"), ["data", "mate"]),
        (("label=a",), ["data", "mate"]),
        (("label=a=1",), ["data"]),
        (("label=a", "label=b"), ["mate"]),
        (("driver=local", "name=x"), []),
        (("driver=nfs",), []),
        (("dangling=true",), ["data"]),
        (("dangling=0",), ["mate"]),
    ],
)
def test_filters_are_those_of_docker(words, found, orchestra, make, by_hand):
    make("data", "s", labels={"a": "1"})
    make("mate", "s", labels={"a": "2", "b": ""})
    by_hand.add(container(volumes=("mate",)))
    assert names(orchestra, *(word for filter in words for word in ("-f", filter))) == found


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("volume rm dato", "no such volume: dato", "did you mean data?"),
        ("volume rm ../data", "no such volume: ../data", "did you mean data?"),
        ("volume inspect x", "no such volume: x", "volumes are data"),
        ("volume create ../x", "'../x' is not a valid volume name", "at least two letters"),
        ("volume create -o size=1 new", "unknown driver option size", "type, device and o"),
        ("volume create -o type new", "--opt type: expected KEY=VALUE", ""),
        ("volume create -o type=tmpfs -o device=tmpfs data", "volume data exists with other options", "inspect data"),
        ("volume ls -f dangle=1", "there is no filter dangle", "did you mean dangling?"),
        ("volume ls -f dangling=x", "expected true or false", ""),
        ("volume ls -f name", "a value is missing", "name=VALUE"),
        ("volume prune -f --filter name=x", "there is no filter name", "label"),
        ("volume prune", "cannot ask for confirmation", "--force"),
    ],
)
def test_mistakes_are_explained_and_remove_nothing(line, message, hint, orchestra, make):
    data = make("data")
    code, out, err = orchestra(*line.split())
    assert (code, out) == (1, "[]\n" if "inspect" in line else "")
    assert message in err
    assert hint in err
    assert (data / "file").exists()


def test_one_mistake_does_not_keep_the_others_from_their_turn(orchestra, make):
    make("one")
    make("two")
    code, out, err = orchestra("volume", "rm", "one", "nix", "two", "one")
    assert (code, out) == (1, "one\ntwo\n")
    assert "no such volume: nix" in err
    assert "Total reclaimed space:" in err
    assert orchestra("volume", "rm", "-f", "nix") == (0, "", "")


def use_by_container(by_hand, name):
    by_hand.add(container(volumes=(name,)))
    return "container s-web-1 of stack s"


def use_by_unreadable_container(by_hand, name):
    by_hand.add(container())
    Path(by_hand.home.container("s-web-1"), "container.json").write_text("{")
    return "container s-web-1 of stack s"


def use_after_reboot(by_hand, name):
    by_hand.want(containers=[{"name": "s-web-1", "mounts": [{"kind": "VolumeMount", "target": "/d", "name": name}]}])
    return "stack s, which is not down"


def use_by_place_after_reboot(by_hand, name):
    by_hand.want(containers=[{"name": "s-db-1"}])
    return "stack s, which is not down"


def use_by_unreadable_stack(by_hand, name):
    Path(by_hand.home.desired).write_text("[")
    return "stack s, which is not down"


@pytest.mark.parametrize(
    "use",
    [
        use_by_container,
        use_by_unreadable_container,
        use_after_reboot,
        use_by_place_after_reboot,
        use_by_unreadable_stack,
    ],
)
def test_what_anything_may_need_stays(use, orchestra, make, by_hand):
    data = make(ANONYMOUS, "s", container="s-db-1", target="/data")
    reason = use(by_hand, ANONYMOUS)
    assert orchestra("volume", "prune", "-a", "-f") == (0, "Nothing to remove.\n", "")
    code, out, err = orchestra("volume", "rm", "-f", ANONYMOUS)
    assert (code, out) == (1, "")
    assert f"is in use by {reason}" in err
    assert (data / "file").exists()


def test_prune_takes_anonymous_volumes_unless_all_are_asked_for(orchestra, make):
    make(ANONYMOUS, "s", container="s-web-1", target="/data")
    kept, other = make("data", "s", labels={"kept": "yes"}), make("other")
    code, out, err = orchestra("volume", "prune", "-f")
    assert (code, err) == (0, "")
    assert out == f"Removed volume {ANONYMOUS}: 8.192kB\nTotal reclaimed space: 8.192kB\n"
    assert orchestra("volume", "prune", "-f")[1] == "Nothing to remove.\n"
    orchestra("volume", "prune", "-a", "-f", "--filter", "label!=kept")
    assert kept.exists()
    assert not other.exists()
    orchestra("volume", "prune", "-a", "-f", "--filter", "label=kept=yes")
    assert names(orchestra) == []


def test_a_removal_that_is_killed_is_ended_by_the_next(orchestra, make, home):
    make("data")
    code = """
import os, signal, sys
from orchestra.driver.local.volume import use
use.delete_volumes = lambda home, names: os.kill(os.getpid(), signal.SIGKILL)
from orchestra.cli.start import start
start(["volume", "rm", "data"])
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert names(orchestra) == []
    make("data")
    assert orchestra("volume", "rm", "data")[:2] == (0, "data\n")
    assert os.listdir(home.volumes) == []


def test_many_at_once_make_one_volume_and_remove_it_once(make, home):
    def all_at_once(*words):
        line = [sys.executable, "-m", "orchestra", "volume", *words]
        started = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
        return [(*process.communicate(), process.returncode) for process in started]

    assert all(done == (b"data\n", b"", 0) for done in all_at_once("create", "data"))
    codes = sorted(code for _out, _err, code in all_at_once("rm", "data"))
    assert codes == [0, 1, 1, 1]
    assert os.listdir(home.volumes) == []


def test_names_are_completed(orchestra, make):
    make("data")
    assert orchestra("__complete", "zsh", "volume", "rm", "")[1] == "data\t\n"


class TestRealContainers:
    pytestmark = needs_containers

    def test_volumes_of_stopped_containers_and_of_a_stack_that_uses_one_of_another_stay(self, write_stack):
        stack = write_stack("""
services:
  job: {image: "rootfs:BUSYBOX", command: [touch, /data/file, /anonymous/file], volumes: ["data:/data", /anonymous]}
volumes: {data: {external: true, name: shared}}
""")
        stack.run("volume", "create", "shared")
        stack.run("up")
        assert stack.states()["job"] == "exited"
        assert stack.run("volume", "prune", "-a", "-f").stdout == "Nothing to remove.\n"
        assert "in use by container stack-job-1" in stack.run("volume", "rm", "shared", code=1).stderr
        stack.run("down")
        anonymous = stack.run("volume", "ls", "-q", "-f", "label=com.docker.volume.anonymous").stdout.split()
        assert len(anonymous) == 1
        assert stack.run("volume", "prune", "-f").stdout.startswith(f"Removed volume {anonymous[0]}: ")
        assert stack.run("volume", "ls", "-q").stdout == "shared\n"
        stack.run("volume", "rm", "shared")
        assert "shared" in stack.run("up", code=1).stderr
