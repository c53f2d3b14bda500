"""Containers of a plain user: orchestra-runtime by an id that is nobody on this machine, as crun and runc beside it.

Each command runs in a mount namespace of the test's own, where the user has a name, ids beyond his own in /etc/subuid
and /etc/subgid, and an interpreter and sources that he may read.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import orchestra
from orchestra.linux import cgroup
from orchestra.linux.security import libseccomp
from tests.oci_cli.conftest import ALL, OURS, Bundle, Runtime, eventually
from tests.oci_cli.test_sealed import ATTACK, UNPROTECTED
from tests.oci_cli.test_terminal import Caller
from tests.run import word

USER, BEYOND, COUNT = 1234567, 2000000, 1000
ALONE = [{"containerID": 0, "hostID": USER, "size": 1}]
MORE = [*ALONE, {"containerID": 1, "hostID": BEYOND, "size": COUNT}]
needs_uidmap = pytest.mark.skipif(not shutil.which("newuidmap"), reason="needs newuidmap and newgidmap")

SOURCES = Path(orchestra.__path__[0]).parent
PYTHON = f"/mnt/python/bin/{os.path.basename(os.path.realpath(sys.executable))}"
PREPARE = f"""
set -e
mount -t tmpfs none /mnt
mkdir /mnt/python /mnt/sources /mnt/place /mnt/tree
mount --bind {sys.base_prefix} /mnt/python
mount --bind {SOURCES} /mnt/sources
for name in passwd group subuid subgid; do mount --bind "$PLACE/etc/$name" /etc/$name; done
# What is above the directory of a test is for root alone.
mount --bind "$PLACE" /mnt/place
mount --bind "$TREE" /mnt/tree
mount -t tmpfs -o mode=755 none "$ABOVE"
mkdir -p "$PLACE" "$TREE"
mount --bind /mnt/place "$PLACE"
mount --bind /mnt/tree "$TREE"
"""
# crun and runc know no machine with both versions of control groups.
ONE_VERSION = "test ! -d /sys/fs/cgroup/unified || mount -t tmpfs none /sys/fs/cgroup/unified\n"
BECOME = f'exec setpriv --reuid {USER} --regid {USER} --clear-groups "$@"\n'


class Rootless(Runtime):
    """A runtime as that user calls it: of his own he has a home, and the directory that a variable names."""

    def __init__(self, name, path, tree) -> None:
        super().__init__(name, path, tree)
        path.chmod(0o711)
        files = path / "etc"
        files.mkdir()
        (files / "passwd").write_text(f"plain:x:{USER}:{USER}::/:/bin/sh\n")
        (files / "group").write_text(f"plain:x:{USER}:\n")
        for file in ("subuid", "subgid"):
            (files / file).write_text(f"plain:{BEYOND}:{COUNT}\n")
        self.home, self.root = path / "home", path / "home/orchestra-runtime"
        self.home.mkdir()
        os.chown(self.home, USER, USER)
        self.variables = [f"XDG_RUNTIME_DIR={self.home}", f"PATH={os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE=1"]
        self.program = [PYTHON, "-m", "orchestra.oci_cli"] if name == OURS else [shutil.which(name)]
        self.prepare(PREPARE + ONE_VERSION + BECOME)

    def prepare(self, script):
        above = Path(*self.path.parts[:3])
        places = [f"PLACE={self.path}", f"TREE={self.tree}", f"ABOVE={above}"]
        command = ["env", *places, "unshare", "--mount", "sh", "-c", script, "sh"]
        self.user = [*command, "env", "-i", "PYTHONPATH=/mnt/sources", *self.variables]
        self.command = [*self.user, *self.program]

    def bundle(self, *args, name="c", maps=ALONE, **described):
        """What ``spec --rootless`` writes, with these changes."""
        path = self.home / f"bundle-{name}"
        path.mkdir()
        os.chown(path, USER, USER)
        spec = [*self.user, PYTHON, "-m", "orchestra.oci_cli", "spec", "--rootless", "--bundle", str(path)]
        subprocess.run(spec, check=True)
        bundle = Bundle(path, self.tree, "")
        bundle.config = json.loads((path / "config.json").read_text()) | {"ociVersion": "1.0.2"}
        bundle.config["root"] = {"path": str(self.tree), "readonly": True}
        bundle.process, bundle.linux = bundle.config["process"], bundle.config["linux"]
        bundle.process |= {"terminal": False, "env": ["PATH=/usr/bin"], "args": list(args) or ["sleep", "60"]}
        bundle.process |= described
        if maps is not ALONE:
            bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = maps
        self.bundles[name] = bundle
        return bundle

    def as_user(self, *words):
        return subprocess.run([*self.user, *words], capture_output=True, text=True, timeout=40)


@functools.cache
def lack():
    """Why a plain user can make nothing here."""
    if not shutil.which("setpriv"):
        return "needs the program setpriv"
    words = ("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "unshare", "--user", "true")
    return "" if subprocess.run(words).returncode == 0 else "this machine lets nobody but root make user namespaces"


def make(name, tmp_path, tree):
    if lack():
        pytest.skip(lack())
    if name != OURS and not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    runtime = Rootless(name, tmp_path, tree)
    try:
        yield runtime
    finally:
        runtime.close()


@pytest.fixture(params=ALL)
def runtime(request, tmp_path, tree):
    yield from make(request.param, tmp_path, tree)


@pytest.fixture
def ours(tmp_path, tree):
    yield from make(OURS, tmp_path, tree)


@pytest.fixture(params=[OURS, "runc"])
def open_to_its_maker(request, tmp_path, tree):
    """Not crun, of whose waiting process its own maker cannot see anything."""
    yield from make(request.param, tmp_path, tree)


def give_network(bundle):
    bundle.linux["namespaces"].append({"type": "network"})
    for entry in bundle.config["mounts"]:
        if entry["destination"] == "/sys":
            entry |= {"type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}


# The user


def test_who_calls_is_root_in_it_and_nobody_else(runtime):
    words = "id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups"
    runtime.bundle("sh", "-c", words)
    assert runtime.ok("run", "c").split() == ["0", *(["0", str(USER), "1"] * 2), "deny"]


@needs_uidmap
def test_ids_beyond_ones_own_are_those_of_subuid(runtime):
    groups = [] if runtime.name == "runc" else [7]  # it sets none without root
    user = {"uid": 5, "gid": 6, "additionalGids": groups}
    bundle = runtime.bundle("sh", "-c", "id -u; id -G; cat /proc/self/uid_map; sleep 60", maps=MORE, user=user)
    bundle.process["capabilities"] = {}
    runtime.ok("run", "--detach", "c")
    eventually(lambda: str(COUNT) in runtime.output.read_text())
    numbers = [5, 6, *groups, 0, USER, 1, 1, BEYOND, COUNT]
    assert runtime.output.read_text().split() == [str(number) for number in numbers]
    assert os.stat(f"/proc/{runtime.state()['pid']}").st_uid == BEYOND + 4
    runtime.ok("delete", "--force", "c")


@needs_uidmap
def test_ids_of_another_user_are_refused_with_the_message_of_newuidmap(ours):
    ours.bundle(maps=[{"containerID": 0, "hostID": 0, "size": 1}])
    assert "newuidmap: uid range [0-1) -> [0-1) not allowed" in ours.fails("run", "c")


def test_more_ids_without_newuidmap_are_refused_with_where_it_is_from(ours):
    ours.bundle(maps=MORE)
    ours.variables[1] = f"PATH={ours.home}"
    ours.user[ours.user.index(f"PATH={os.environ['PATH']}")] = f"PATH={ours.home}"
    ours.command = [*ours.user, *ours.program]
    assert "Debian's package uidmap" in ours.fails("run", "c")


def test_without_a_user_namespace_the_way_to_one_is_told(ours):
    bundle = ours.bundle()
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] != "user"]
    assert "without root a container needs a user namespace: see `spec --rootless`" in ours.fails("run", "c")


def test_containers_are_kept_where_the_user_may(ours):
    ours.bundle()
    ours.ok("create", "c")
    assert json.loads((ours.root / "c/state.json").read_text())["owner"] == "plain"
    assert ours.root.stat().st_mode & 0o7777 == 0o1700


@pytest.mark.parametrize("mode", [None, 0o700, 0o755, 0o1755], ids=["absent", "private", "readable", "sticky"])
def test_a_missing_runtime_directory_of_a_user_is_reported(ours, mode):
    """Also where root has containers in the directory that is root's."""
    make = "" if mode is None else f"mkdir -m {mode:o} /run/orchestra-runtime\n"
    ours.prepare(f"{PREPARE}mount -t tmpfs -o mode=755 none /run\n{make}{BECOME}")
    ours.command = [word for word in ours.command if not word.startswith("XDG_RUNTIME_DIR")]
    ours.bundle()
    assert "set XDG_RUNTIME_DIR" in ours.fails("create", "c")


# Its life


def test_a_life_from_create_to_delete(runtime):
    runtime.bundle("sleep", "60")
    runtime.ok("create", "c")
    assert runtime.status() == "created"
    runtime.ok("start", "c")
    eventually(lambda: runtime.status() == "running")
    assert runtime("exec", "c", "sh", "-c", "id -u; exit 7").returncode == 7
    assert runtime.output.read_text() == "0\n"
    assert runtime.ok("list", "-q").split() == ["c"]
    runtime.ok("kill", "c", "KILL")
    runtime.stopped()
    runtime.ok("delete", "c")
    assert runtime.ok("list", "-q") == ""


def test_what_is_executed_is_in_every_namespace_of_it(runtime):
    bundle = runtime.bundle("sleep", "60")
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] != "cgroup"]
    bundle.config["mounts"] = [entry for entry in bundle.config["mounts"] if entry["type"] != "cgroup"]
    give_network(bundle)
    runtime.ok("run", "--detach", "c")
    kinds = ("user", "pid", "net", "ipc", "uts", "mnt", "cgroup")
    words = ";".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    pid = runtime.state()["pid"]
    assert runtime.ok("exec", "c", "sh", "-c", words).split() == [os.readlink(f"/proc/{pid}/ns/{k}") for k in kinds]
    runtime.ok("delete", "--force", "c")


def test_namespaces_of_another_container_of_the_user_are_joined(runtime):
    """As in a pod."""
    give_network(runtime.bundle("sleep", "60"))
    runtime.ok("run", "--detach", "c")
    pid = runtime.state()["pid"]
    kinds = {"user": "user", "network": "net", "ipc": "ipc"}
    bundle = runtime.bundle("sh", "-c", ";".join(f"readlink /proc/self/ns/{f}" for f in kinds.values()), name="d")
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] not in kinds]
    bundle.linux["namespaces"] += [{"type": kind, "path": f"/proc/{pid}/ns/{file}"} for kind, file in kinds.items()]
    assert runtime.ok("run", "d", name="d").split() == [os.readlink(f"/proc/{pid}/ns/{f}") for f in kinds.values()]
    runtime.ok("delete", "--force", "c")


def test_a_container_has_its_own_clocks(ours):
    bundle = ours.bundle("cat", "/proc/uptime")
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 10_000_000}}
    assert float(ours.ok("run", "c").split()[0]) > 10_000_000


@needs_uidmap
def test_what_is_executed_may_be_another_user(runtime):
    bundle = runtime.bundle("sleep", "60", maps=MORE, user={"uid": 5, "gid": 6})
    bundle.process["capabilities"] = {}
    runtime.ok("run", "--detach", "c")
    assert runtime.ok(
        "exec", "--user", "8:9", "c", "sh", "-c", "id -u; id -g; cut -d' ' -f1 /proc/self/stat | wc -l"
    ).split() == ["8", "9", "1"]
    runtime.ok("delete", "--force", "c")


def test_who_made_it_can_enter_it_while_it_waits(open_to_its_maker):
    """As it must be to give it a network, between ``create`` and ``start``."""
    runtime = open_to_its_maker
    give_network(runtime.bundle("cat", "/proc/net/dev"))
    runtime.ok("create", "c")
    pid = runtime.state()["pid"]
    enter = ("nsenter", "--target", str(pid), "--user", "--net", "--preserve-credentials")
    assert runtime.as_user(*enter, "readlink", "/proc/self/ns/net").stdout.strip() == os.readlink(f"/proc/{pid}/ns/net")
    assert runtime.ok("exec", "c", "id", "-u") == "0\n"
    runtime.ok("start", "c")
    runtime.stopped()


def test_all_of_its_processes_are_found_without_a_group(ours):
    """The first one takes no signal that it did not ask for, and waits for those that do."""
    ours.bundle("sh", "-c", "sleep 60 & sleep 60 & wait")
    ours.ok("run", "--detach", "c")
    eventually(lambda: len(json.loads(ours.ok("ps", "--format", "json", "c"))) == 3)
    ours.ok("kill", "--all", "c", "TERM")
    ours.stopped()


def test_a_terminal_and_one_more(runtime):
    runtime.bundle("sh", "-c", 'tty; read word; echo "<$word>"; exit 4', terminal=True)
    caller = Caller(runtime, "run", "c")
    caller.read_until("/dev/pts/0")
    other = Caller(runtime, "exec", "--tty", "c", "sh", "-c", "tty; stat -c %u /dev/pts/1; exit 3")
    assert other.wait() == 3
    assert other.text.split() == ["/dev/pts/1", "0"]
    caller.type("word\n")
    caller.read_until("<word>")
    assert caller.wait() == 4


def test_hooks_are_the_users(runtime, tmp_path):
    bundle = runtime.bundle("sh", "-c", "cat /proc/net/dev | grep -c made")
    give_network(bundle)
    script = 'pid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); id -u > ran; echo $pid >> ran'
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cd {runtime.home}; {script}"], "env": ["PATH=/usr/bin:/bin"]}
    bundle.config["hooks"] = {"createRuntime": [hook]}
    runtime.ok("create", "c")
    assert (runtime.home / "ran").read_text().split() == [str(USER), str(runtime.state()["pid"])]


@pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp")
def test_system_calls_are_filtered(runtime):
    bundle = runtime.bundle("sh", "-c", "mkdir /dev/shm/new; echo $?")
    rules = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
    assert runtime.ok("run", "c") == "1\n"


# What it sees


def test_a_network_of_its_own_has_a_sysfs_of_its_own(runtime):
    give_network(runtime.bundle("ls", "/sys/class/net"))
    assert runtime.ok("run", "c").split() == ["lo"]


def test_devices_are_those_of_the_host(ours):
    """Wherever they are to be; runc finds none that has another path there, and crun fails."""
    bundle = ours.bundle("sh", "-c", "echo > /dev/null; head -c 4 /dev/zero | wc -c; stat -c %t:%T /dev/more/full")
    bundle.linux["devices"] = [{"path": "/dev/more/full", "type": "c", "major": 1, "minor": 7}]
    assert ours.ok("run", "c").split() == ["4", "1:7"]


def test_a_bind_with_mapped_owners_shows_roots_files_and_can_be_written_to(runtime):
    shared = runtime.home / "shared"
    shared.mkdir()
    os.chown(shared, USER, USER)
    bundle = runtime.bundle("sh", "-c", "echo text > /tmp/file; stat -c %u:%g /tmp/file")
    entry = {"destination": "/tmp", "type": "bind", "source": str(shared), "options": ["rbind", "rw"]}
    bundle.config["mounts"].append(entry)
    assert runtime.ok("run", "c") == "0:0\n"
    assert (shared / "file").stat().st_uid == USER


def test_an_unmapped_owner_is_named(ours):
    bundle = ours.bundle()
    next(entry for entry in bundle.config["mounts"] if entry["type"] == "devpts")["options"].append("gid=5")
    assert "gid=5: the container's maps have no such id" in ours.fails("run", "c")


# Limits


def test_without_a_group_limits_are_a_warning_and_nothing_else_is(ours):
    ours.bundle("true")
    assert ours("run", "c").stderr == ""
    ours.bundle("true", name="limited").linux["resources"] = {"pids": {"limit": 20}}
    done = ours("run", "limited", name="limited")
    assert (done.returncode, "no cgroup, so no limits" in done.stderr) == (0, True)


def test_without_a_group_nothing_can_be_paused(ours):
    ours.bundle()
    ours.ok("create", "c")
    ours.ok("start", "c")
    assert "the container is in no group that can be frozen" in ours.fails("pause", "c")


@pytest.fixture
def delegated(ours):
    """A group of version 2 that the user was given; his commands run in one below it."""
    unified = cgroup.machine_hierarchy().v2
    if not unified:
        pytest.skip("needs a mounted cgroup tree of version 2")
    name = f"orchestra-{word()}"
    group = Path(unified, name)
    (group / "own").mkdir(parents=True)
    for path in (group, group / "own", *group.glob("cgroup.*"), *(group / "own").glob("cgroup.*")):
        os.chown(path, USER, USER)
    tree = "/sys/fs/cgroup"
    below = f"umount -R {tree}; mount -t cgroup2 none {tree}; echo $$ > {tree}/{name}/own/cgroup.procs\n"
    ours.prepare(PREPARE + below + BECOME)
    yield group
    ours.close()
    for path in (group / "own", group):
        eventually(lambda path=path: "populated 0" in (path / "cgroup.events").read_text())
        path.rmdir()


def test_a_group_beside_ones_own_is_used_where_it_was_delegated(ours, delegated):
    ours.bundle()
    ours.ok("run", "--detach", "c")
    group = delegated / "orchestra-runtime/c"
    assert (group / "cgroup.procs").read_text().split() == [str(ours.state()["pid"])]
    with subprocess.Popen([*ours.command, "exec", "c", "sleep", "60"]):
        eventually(lambda: len((group / "cgroup.procs").read_text().split()) == 2)
        ours.ok("pause", "c")
        assert ours.status() == "paused"
        ours.ok("resume", "c")
        ours.ok("delete", "--force", "c")
    assert not group.parent.exists()


# The interpreter


@pytest.mark.parametrize("words", [["-m", "orchestra.oci_cli"], UNPROTECTED], ids=["protected", "unprotected"])
def test_a_users_own_interpreter_cannot_be_written_from_a_container(ours, words):
    """By a memory file as for root; CVE-2019-5736."""
    (ours.home / "python/bin").mkdir(parents=True)
    interpreter = shutil.copy(os.path.realpath(sys.executable), ours.home / "python/bin/python")
    (ours.home / "python/pyvenv.cfg").write_text("home = /mnt/python/bin\n")
    (ours.home / "attack.py").write_text(ATTACK)
    root = ours.home / "root"
    shutil.copytree(ours.tree, root, symlinks=True)
    os.symlink("/proc/self/exe", root / "usr/bin/python3")
    bundle = ours.bundle("/usr/bin/python3", "-I", "-S", "/run/attack.py", env=["PATH=/usr/bin", "PYTHONHOME=/opt"])
    bundle.config["root"] = {"path": str(root), "readonly": False}
    binds = [(path, path) for path in ("/lib", "/lib64", "/usr/lib") if os.path.isdir(path)]
    binds += [("/opt/lib", "/mnt/python/lib"), ("/run/attack.py", str(ours.home / "attack.py"))]
    bundle.config["mounts"] += [
        {"destination": target, "type": "bind", "source": source, "options": ["rbind", "ro"]}
        for target, source in binds
    ]
    subprocess.run(["chown", "-R", f"{USER}:{USER}", ours.home], check=True)
    before = Path(interpreter).read_bytes()
    ours.command = [*ours.user, interpreter, *words]
    ours.ok("run", "--detach", "c")
    eventually(lambda: (root / "tmp/over").exists())
    assert (Path(interpreter).read_bytes() == before) == (words is not UNPROTECTED)


def test_roots_interpreter_needs_no_copy(ours):
    """It is nobody's whom a container of this user has."""
    ours.bundle()
    ours.ok("create", "c")
    assert os.readlink(f"/proc/{ours.state()['pid']}/exe").endswith(os.path.basename(PYTHON))
