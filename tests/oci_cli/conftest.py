"""Bundles on the disk and runtimes by command line: ours, and where they are installed crun and runc."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestra.linux import cgroup
from orchestra.oci_cli.spec import example
from tests import warm
from tests.run import word
from tests.shim.conftest import LACK, eventually, tree  # noqa: F401

OURS = "orchestra-runtime"
ALL = (OURS, "crun", "runc")
PROGRAM = [sys.executable, "-m", "orchestra.oci_cli"]
# Both know no machine with the two versions of cgroups side by side: they are shown the first alone.
ONE_VERSION = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    '! test -d /sys/fs/cgroup/unified || mount -t tmpfs none /sys/fs/cgroup/unified; exec "$0" "$@"',
)
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"]


class Bundle:
    """A directory with a config.json; a change of ``config`` is written when it is used."""

    def __init__(self, path, tree, group) -> None:  # noqa: F811
        self.path = path
        self.config = copy.deepcopy(example())
        self.config["ociVersion"] = "1.0.2"  # the runtimes of a stable distribution know no newer one
        self.process = self.config["process"]
        self.process |= {"terminal": False, "env": ["PATH=/usr/bin"], "args": ["sleep", "60"]}
        self.process.pop("rlimits")
        self.process["capabilities"] = {
            kind: list(CAPABILITIES) for kind in ("bounding", "effective", "permitted", "inheritable")
        }
        self.config["root"] = {"path": str(tree), "readonly": True}
        self.linux = self.config["linux"]
        self.linux["cgroupsPath"] = group
        self.config["annotations"] = {"org.example": "word"}

    def write(self):
        Path(self.path, "config.json").write_text(json.dumps(self.config))


class Runtime:
    """One runtime with a root of its own; every container is deleted in the end, whatever became of it."""

    def __init__(self, name, path, tree) -> None:  # noqa: F811
        self.name = name
        self.path = path
        self.tree = tree
        self.root = path / "root"
        self.group = f"/orchestra-{word()}"
        self.output = path / "output"
        self.ids = set()
        self.bundles = {}
        prefix = PROGRAM if name == OURS else [*ONE_VERSION, shutil.which(name)]
        self.command = [*prefix, "--root", str(self.root)]

    def bundle(self, *args, name="c", **process):
        path = self.path / f"bundle-{name}"
        path.mkdir(exist_ok=True)
        bundle = Bundle(path, self.tree, f"{self.group}/{name}")
        if args:
            bundle.process["args"] = list(args)
        bundle.process |= process
        self.bundles[name] = bundle
        return bundle

    def __call__(
        self, *words, name="c", timeout=40, stdin=subprocess.PIPE, env=None, **keys
    ) -> subprocess.CompletedProcess:
        """Run a command; its streams, which a container may keep, are files, and a pipe that nobody writes to.

        Not the machine's own /dev/null, which crun gives to the root of a container's user namespace.
        """
        if words[0] in ("create", "run"):
            self.bundles[name].write()
            words = (words[0], "--bundle", str(self.bundles[name].path), *words[1:])
            self.ids.add(name)
        with open(self.output, "w+") as out, open(self.path / "errors", "w+") as errors:
            environment = None if env is None else {**os.environ, **env}
            streams = {"stdin": stdin, "stdout": out, "stderr": errors}
            run, command = subprocess.run, [*self.command, *words]
            if command[: len(PROGRAM)] == PROGRAM and "input" not in keys:
                run, command = partial(warm.run, module="orchestra.oci_cli"), command[len(PROGRAM) :]
            done = run(command, **streams, timeout=timeout, env=environment, **keys)
        done.stdout, done.stderr = self.output.read_text(), Path(self.path, "errors").read_text()
        return done

    def ok(self, *words, **keys):
        done = self(*words, **keys)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *words, **keys):
        done = self(*words, **keys)
        assert done.returncode != 0
        return done.stderr

    def state(self, name="c"):
        return json.loads(self.ok("state", name))

    def status(self, name="c"):
        return self.state(name)["status"]

    def stopped(self, name="c"):
        eventually(lambda: self.status(name) == "stopped")

    def groups(self):
        roots = [*cgroup.machine_hierarchy().v1.values(), cgroup.machine_hierarchy().v2]
        roots += [f"/sys/fs/cgroup/{name}" for name in os.listdir("/sys/fs/cgroup")]
        return sorted({f"{root}{self.group}" for root in roots if root and os.path.exists(f"{root}{self.group}")})

    def close(self):
        for name in self.ids:
            self("delete", "--force", name)
        for group in self.groups():
            for here, _below, _files in os.walk(group, topdown=False):
                with suppress(OSError):
                    os.rmdir(here)


def make(request, tmp_path, tree):  # noqa: F811
    if request.param != OURS and not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    if (
        request.param == "crun"
        and "+YAJL" not in subprocess.run(["crun", "--version"], capture_output=True, text=True).stdout
    ):
        pytest.skip("this crun reads no configuration")
    runtime = Runtime(request.param, tmp_path, tree)
    try:
        yield runtime
    finally:
        runtime.close()
    assert runtime.groups() == []


@pytest.fixture(params=ALL)
def runtime(request, tmp_path, tree):  # noqa: F811
    """Each of them."""
    yield from make(request, tmp_path, tree)


@pytest.fixture(params=[OURS])
def ours(request, tmp_path, tree):  # noqa: F811
    yield from make(request, tmp_path, tree)


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def lacks(item):
    """Whether it is a comparison with a program that is known not to do this (the marker ``lacks``)."""
    chosen = list(getattr(item, "callspec", SimpleNamespace(params={})).params.values())
    return any(name in chosen for marker in item.iter_markers("lacks") for name in marker.kwargs)


LEFT_OUT = pytest.StashKey[set[pytest.Item]]()


def pytest_itemcollected(item):
    """Called for the tests of this directory."""
    item.add_marker(pytest.mark.root)
    if lack := LACK or ("" if cgroup.machine_hierarchy().version else "needs a mounted cgroup tree"):
        item.add_marker(pytest.mark.skip(reason=lack))
    if lacks(item):
        item.config.stash.setdefault(LEFT_OUT, set()).add(item)


def pytest_collection_modifyitems(config, items):
    left_out = config.stash.get(LEFT_OUT, set())
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))
