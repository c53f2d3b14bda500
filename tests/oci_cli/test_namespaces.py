"""OCI runtime specification, config-linux: "Namespaces", "User namespace mappings", "Offset for Time Namespace"."""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import orchestra
from orchestra.linux import namespaces, user_namespace
from orchestra.linux.security import capabilities
from tests.forking import fork
from tests.oci_cli.conftest import OURS

FIRST, COUNT = 100000, 65536
MAPS = [{"containerID": 0, "hostID": FIRST, "size": COUNT}]
BESIDE = ("network", "ipc", "uts", "pid", "cgroup")


def reachable(directory):
    """Let the mapped root pass: what is above a test's own directory is for root alone."""
    for above in [directory, *directory.parents][:-2]:
        os.chmod(above, os.stat(above).st_mode | 0o011)


def mapped(runtime, *args, **process):
    """A bundle in a user namespace whose root is user 100000 of the machine. Ours finds the tree where it is hidden."""
    bundle = runtime.bundle(*args, **process)
    if runtime.name != OURS:
        reachable(runtime.tree)
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = MAPS
    return bundle


def without(bundle, *kinds):
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] not in kinds]


@pytest.fixture
def pinned(tmp_path):
    """Namespaces of a process that sleeps: a function from their kinds to entries of a configuration."""
    processes = []

    def make(*kinds):
        ours, theirs = socket.socketpair()
        pid = fork()
        if pid == 0:
            try:
                ours.close()
                namespaces.unshare(sum(namespaces.FLAGS[kind] for kind in kinds))
                theirs.send(b"1")
                theirs.recv(1)
            finally:
                os._exit(0)
        theirs.close()
        processes.append((pid, ours))
        assert ours.recv(1) == b"1"
        if "user" in kinds:
            directory = os.open(f"/proc/{pid}", os.O_PATH)
            user_namespace.write_maps(directory, MAPS, MAPS)
            os.close(directory)
        files = {"network": "net", "mount": "mnt"}
        return [{"type": kind, "path": f"/proc/{pid}/ns/{files.get(kind, kind)}"} for kind in kinds]

    yield make
    for pid, connection in processes:
        connection.close()
        os.waitpid(pid, 0)


def inodes(*paths):
    return [re.search(r"\d+", os.readlink(path))[0] for path in paths]


# Namespaces


@pytest.mark.parametrize("kind", BESIDE)
def test_a_namespace_is_made_when_it_is_listed_and_shared_when_not(runtime, kind):
    file = f"/proc/self/ns/{'net' if kind == 'network' else kind}"
    bundle = runtime.bundle("readlink", file)
    if kind != "uts":
        bundle.config.pop("hostname")
    assert runtime.ok("run", "c").strip() != os.readlink(file)
    without(bundle, kind)
    bundle.config.pop("hostname", None)
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] not in ("sysfs", "mqueue", "cgroup")]
    assert runtime.ok("run", "c").strip() == os.readlink(file)


@pytest.mark.parametrize("kind", ["network", "ipc", "uts"])
def test_a_namespace_with_a_path_is_joined(runtime, pinned, kind):
    (entry,) = pinned(kind)
    bundle = runtime.bundle("readlink", f"/proc/self/ns/{os.path.basename(entry['path'])}")
    without(bundle, kind)
    bundle.linux["namespaces"].append(entry)
    bundle.config.pop("hostname")
    assert runtime.ok("run", "c").strip() == os.readlink(entry["path"])


def mounts(runtime):
    """On the host, of what this runtime is given: other tests mount at the same time."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(runtime.tree) in line or str(runtime.path) in line]


def test_a_mount_namespace_with_a_path_is_joined(runtime, pinned):
    """And gets the container's root: the path of the namespace says where mounts are made, not what is mounted."""
    (entry,) = pinned("mount")
    bundle = runtime.bundle("sh", "-c", "readlink /proc/self/ns/mnt; ls -d /proc/self /dev/null; pwd")
    without(bundle, "mount")
    bundle.linux["namespaces"].append(entry)
    joined = os.readlink(entry["path"])
    before = mounts(runtime)
    assert joined != os.readlink("/proc/self/ns/mnt")
    assert runtime.ok("run", "c").split() == [joined, "/dev/null", "/proc/self", "/"]
    assert mounts(runtime) == before


def test_a_mount_namespace_that_is_not_listed_is_shared(ours):
    """The container has its own root there all the same, and takes what it has mounted along when it is deleted."""
    script = "readlink /proc/self/ns/mnt; ls -d /proc/self /dev/null; cat /proc/keys; : > /x"
    bundle = ours.bundle("sh", "-c", script)
    without(bundle, "mount", "pid")
    before = mounts(ours)
    done = ours("run", "--keep", "c")
    assert done.stdout.split() == [os.readlink("/proc/self/ns/mnt"), "/dev/null", "/proc/self"]
    assert "Read-only" in done.stderr
    covered = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    assert {f"{ours.tree}{below}" for below in ("", "/proc", "/dev", "/dev/pts")} <= covered
    ours.ok("delete", "c")
    assert mounts(ours) == before


def test_a_program_is_executed_in_the_root_of_a_container_without_a_mount_namespace(ours):
    without(ours.bundle(), "mount")
    ours.ok("run", "--detach", "c")
    root = os.stat(f"/proc/{ours.state()['pid']}/root")
    said = ours.ok("exec", "c", "sh", "-c", "readlink /proc/self/ns/mnt; stat -c %i /; ls -d /proc/1").split()
    assert said == [os.readlink("/proc/self/ns/mnt"), str(root.st_ino), "/proc/1"]


def test_a_creation_that_fails_leaves_no_mounts_where_they_are_shared(ours):
    without(ours.bundle("/no/such"), "mount")
    before = mounts(ours)
    assert "no such program" in ours.fails("create", "c")
    assert mounts(ours) == before


@pytest.mark.parametrize("beside", [(), ("time",), ("user",)])
def test_a_pid_namespace_with_a_path_is_joined(ours, beside):
    """Also by way of the process between that user and time namespaces want. Who is mapped may mount no proc of it."""
    ours.bundle(name="first")
    ours.ok("create", "first", name="first")
    path = f"/proc/{ours.state('first')['pid']}/ns/pid"
    words = ("sh", "-c", "readlink /proc/self/ns/pid; echo $$")
    bundle = mapped(ours, *words) if "user" in beside else ours.bundle(*words)
    without(bundle, "pid")
    bundle.linux["namespaces"] += [
        {"type": "pid", "path": path},
        *({"type": kind} for kind in beside if kind == "time"),
    ]
    if "user" in beside:
        assert "mount proc at /proc: operation not permitted" in ours.fails("run", "c")
        devices = [entry for entry in bundle.config["mounts"] if entry["destination"].startswith("/dev")]
        proc = {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}
        bundle.config["mounts"] = [proc, *devices]
        for key in ("maskedPaths", "readonlyPaths"):
            bundle.linux.pop(key)
    namespace, pid = ours.ok("run", "c").split()
    assert namespace == os.readlink(path)
    assert int(pid) > 1


def test_a_pid_namespace_of_the_machine_is_seen_as_it_is(ours):
    """None of its own: its procfs is the machine's, and so are its processes."""
    bundle = mapped(ours, "sh", "-c", "readlink /proc/self/ns/pid; grep -c . /proc/1/comm")
    without(bundle, "pid")
    assert ours.ok("run", "c").split() == [os.readlink("/proc/self/ns/pid"), "1"]


@pytest.mark.lacks(crun="1.8 says nothing")
def test_a_namespace_may_be_listed_once(runtime):
    runtime.bundle().linux["namespaces"].append({"type": "pid"})
    assert runtime.fails("create", "c")


@pytest.mark.parametrize("what", ["kind", "path"])
def test_a_namespace_that_cannot_be_is_an_error(runtime, what):
    entry = {"type": "nosuch"} if what == "kind" else {"type": "network", "path": "/no/such"}
    bundle = runtime.bundle()
    without(bundle, "network")
    bundle.linux["namespaces"].append(entry)
    assert runtime.fails("create", "c")


def test_a_path_of_another_kind_is_an_error(runtime, pinned):
    (entry,) = pinned("uts")
    bundle = runtime.bundle()
    without(bundle, "network")
    bundle.linux["namespaces"].append({**entry, "type": "network"})
    assert runtime.fails("create", "c")


def test_hooks_on_the_host_are_in_its_pid_namespace(ours, tmp_path):
    script = f"readlink /proc/self/ns/pid > {tmp_path}/pid; readlink /proc/self/ns/pid_for_children >> {tmp_path}/pid"
    ours.bundle().config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    ours.ok("create", "c")
    assert (tmp_path / "pid").read_text().split() == [os.readlink("/proc/self/ns/pid")] * 2


# User namespaces


def test_ids_are_mapped(runtime):
    mapped(runtime, "sh", "-c", "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map")
    words = runtime.ok("run", "c").split()
    assert words == ["0", "0", *["0", str(FIRST), str(COUNT)] * 2]


def test_the_machine_knows_a_mapped_process_by_its_other_id(runtime):
    bundle = mapped(runtime)
    bundle.process["user"] = {"uid": 7, "gid": 8}
    runtime.ok("run", "--detach", "c")
    status = Path(f"/proc/{runtime.state()['pid']}/status").read_text()
    assert re.search(r"Uid:\t(\d+)", status)[1] == str(FIRST + 7)
    assert re.search(r"Gid:\t(\d+)", status)[1] == str(FIRST + 8)


def test_every_other_namespace_belongs_to_the_mapped_one(ours):
    """ioctl_ns(2), NS_GET_USERNS: else its root could not rule them."""
    import fcntl

    mapped(ours)
    ours.ok("run", "--detach", "c")
    pid = ours.state()["pid"]
    user = os.stat(f"/proc/{pid}/ns/user").st_ino
    for file in ("net", "ipc", "uts", "pid", "mnt", "cgroup"):
        with open(f"/proc/{pid}/ns/{file}") as namespace:
            owner = fcntl.ioctl(namespace, 0xB701)
            assert os.fstat(owner).st_ino == user, file
            os.close(owner)


def test_mounts_of_every_kind_work_in_a_user_namespace(runtime):
    mapped(runtime, "cat", "/proc/self/mounts")
    kinds = {line.split()[1]: line.split()[2] for line in runtime.ok("run", "c").splitlines()}
    for point, kind in (("/proc", "proc"), ("/dev", "tmpfs"), ("/dev/pts", "devpts"), ("/dev/mqueue", "mqueue")):
        assert kinds[point] == kind
    assert kinds["/sys"] == "sysfs"


def test_a_sysfs_of_the_host_is_as_protected_as_one_of_its_own_would_be(ours):
    """Also what is mounted below it, such as the host's cgroups."""
    bundle = mapped(ours, "grep", " /sys[ /]", "/proc/mounts")
    without(bundle, "network")
    bundle.config["mounts"] = [entry for entry in bundle.config["mounts"] if entry["type"] != "cgroup"]
    mounts = [line.split() for line in ours.ok("run", "c").splitlines()]
    assert len(mounts) > 1
    for words in mounts:
        assert {"ro", "nosuid", "nodev", "noexec"} <= {*words[3].split(",")}


def test_devices_in_a_user_namespace_have_the_requested_owners(ours):
    """config-linux, "Devices": fileMode, uid and gid, as the container sees them."""
    bundle = mapped(
        ours, "sh", "-c", "stat -c '%F %t:%T %a %u:%g' /dev/other /dev/null /tmp/sub/disk; echo x > /dev/null"
    )
    bundle.linux["devices"] = [
        {"path": "/dev/other", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o606, "uid": 0, "gid": 0},
        {"path": "/tmp/sub/disk", "type": "b", "major": 7, "minor": 9, "fileMode": 0o600},
    ]
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": []})
    assert ours.ok("run", "c").splitlines() == [
        "character special file 1:5 640 3:4",
        "character special file 1:3 606 0:0",
        "block special file 7:9 600 0:0",
    ]


def test_default_devices_work_in_a_user_namespace(runtime):
    script = "echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; ls /dev/full /dev/tty"
    mapped(runtime, "sh", "-c", script)
    assert runtime.ok("run", "c").split() == ["4", "4", "/dev/full", "/dev/tty"]


def test_a_program_is_executed_in_the_user_namespace_of_the_container(runtime):
    mapped(runtime)
    runtime.ok("run", "--detach", "c")
    said = runtime.ok("exec", "--user", "5:6", "c", "sh", "-c", "id -u; id -g; readlink /proc/self/ns/user").split()
    assert said == ["5", "6", os.readlink(f"/proc/{runtime.state()['pid']}/ns/user")]


@pytest.mark.lacks(runc="1.1 wants no maps beside a path, and without them does not become root")
def test_a_user_namespace_with_a_path_is_joined_before_those_that_belong_to_it(runtime, pinned):
    entries = pinned("user", "network", "ipc", "uts")
    files = [f"/proc/self/ns/{os.path.basename(entry['path'])}" for entry in entries]
    bundle = runtime.bundle("sh", "-c", " ; ".join(f"readlink {file}" for file in files))
    without(bundle, "network", "ipc", "uts")
    # The order of the list is nobody's promise.
    bundle.linux["namespaces"] += entries[::-1]
    bundle.config.pop("hostname")
    if runtime.name != OURS:
        reachable(runtime.tree)
        bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = MAPS
    assert runtime.ok("run", "c").split() == [os.readlink(entry["path"]) for entry in entries]


def test_a_program_is_executed_in_namespaces_that_were_joined(ours, pinned):
    entries = pinned("user", "network")
    bundle = ours.bundle()
    without(bundle, "network")
    bundle.linux["namespaces"] += entries
    ours.ok("run", "--detach", "c")
    said = ours.ok("exec", "c", "sh", "-c", "readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u").split()
    assert said == [*(os.readlink(entry["path"]) for entry in entries), "0"]


@pytest.mark.lacks(runc="1.1 mounts no sysfs then")
def test_a_namespace_of_the_machine_is_joined_by_a_mapped_container(runtime, pinned):
    """As an engine does that makes the network beforehand: sysfs shows that network, so it is the machine's own."""
    (entry,) = pinned("network")
    bundle = mapped(runtime, "sh", "-c", "readlink /proc/self/ns/net; ls /sys/class | grep -x net; touch /sys/x")
    without(bundle, "network")
    bundle.linux["namespaces"].append(entry)
    done = runtime("run", "c")
    assert done.stdout.split() == [os.readlink(entry["path"]), "net"]
    assert "Read-only" in done.stderr


def test_streams_belong_to_the_mapped_user(ours):
    bundle = mapped(ours, "sh", "-c", "echo by name > /dev/stdout")
    bundle.process["user"] = {"uid": 9, "gid": 9}
    reader, writer = os.pipe()
    done = subprocess.run([*ours.command, "list"], capture_output=True)
    assert done.returncode == 0
    bundle.write()
    ours.ids.add("c")
    words = [*ours.command, "run", "--bundle", str(bundle.path), "c"]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    os.close(writer)
    with open(reader) as said:
        assert said.read() == "by name\n", done.stderr


def test_a_terminal_in_a_user_namespace(ours, tmp_path):
    from tests.oci_cli.test_run import read_terminal, receive_master

    mapped(ours, "sh", "-c", "tty; stat -c %u /dev/console", terminal=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console.sock"))
        listener.listen()
        listener.settimeout(30)
        ours.ok("create", "--console-socket", listener.getsockname(), "c")
        master = receive_master(listener)
    ours.ok("start", "c")
    assert read_terminal(master).split() == ["/dev/pts/0", "0"]


def test_limits_and_the_oom_score_are_set_before_the_right_to_is_given_up(runtime):
    """Raised where this machine lets us: see capabilities(7), CAP_SYS_RESOURCE."""
    may_raise = capabilities.held() >> capabilities.NUMBERS["CAP_SYS_RESOURCE"] & 1
    hard, score = (600000, -10) if may_raise else (resource.getrlimit(resource.RLIMIT_NOFILE)[1], 10)
    bundle = mapped(runtime, "sh", "-c", "ulimit -Hn; cat /proc/self/oom_score_adj")
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1000, "hard": hard}]
    bundle.process["oomScoreAdj"] = score
    assert runtime.ok("run", "c").split() == [str(hard), str(score)]


@pytest.mark.parametrize("maps", [{"uidMappings": MAPS}, {"gidMappings": MAPS}])
def test_a_new_user_namespace_needs_both_maps(ours, maps):
    bundle = ours.bundle()
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux.update(maps)
    assert "uidMappings and gidMappings" in ours.fails("create", "c")
    assert ours.fails("state", "c")


def test_maps_that_overlap_are_an_error(runtime):
    mapped(runtime).linux["uidMappings"] = [*MAPS, *MAPS]
    assert runtime.fails("create", "c")
    assert runtime.fails("state", "c")


def test_maps_without_root_are_an_error_in_words(ours):
    mapped(ours).linux["uidMappings"] = [{"containerID": 1, "hostID": FIRST, "size": 10}]
    assert "leave out root" in ours.fails("create", "c")


def test_a_tmpfs_over_a_directory_whose_owner_is_not_mapped(ours):
    bundle = mapped(ours, "stat", "-c", "%a %u %g", "/tmp")
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [{**MAPS[0], "size": 1000}]
    entry = {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "mode=1770"]}
    bundle.config["mounts"].append(entry)
    assert ours.ok("run", "c").strip() == "1770 0 0"


def test_an_id_that_is_not_mapped_is_an_error(runtime):
    mapped(runtime).process["user"] = {"uid": COUNT + 1, "gid": 0}
    said = runtime.fails("create", "c")
    assert runtime.name != OURS or f"setresuid {COUNT + 1}:0" in said


def test_a_device_that_cannot_be_made_is_named(ours):
    """There is no place for devices but a directory of somebody who is not mapped."""
    bundle = mapped(ours)
    bundle.config["mounts"] = [
        entry for entry in bundle.config["mounts"] if not entry["destination"].startswith("/dev")
    ]
    assert "mknod null" in ours.fails("create", "c")


def test_the_machines_null_device_stays_its_own(ours):
    mapped(ours, "readlink", "/proc/self/fd/0")
    with open(os.devnull, "rb") as null:
        assert ours.ok("run", "c", stdin=null).strip() == "/dev/null"
    assert os.stat(os.devnull).st_uid == 0


# Id-mapped mounts


@pytest.mark.parametrize("by", ["mappings", "container"])
def test_a_bind_shows_other_owners_when_it_asks_for_it(ours, tmp_path, by):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("")
    script = "stat -c %u /tmp/file; touch /tmp/new; stat -c %u /tmp/new"
    bundle = mapped(ours, "sh", "-c", script)
    entry = {"destination": "/tmp", "type": "bind", "source": str(tmp_path / "mine"), "options": ["bind", "idmap"]}
    if by == "mappings":
        entry |= {"uidMappings": MAPS, "gidMappings": MAPS}
    bundle.config["mounts"].append(entry)
    assert ours.ok("run", "c").split() == ["0", "0"]
    assert os.stat(tmp_path / "mine/new").st_uid == 0


@pytest.mark.parametrize(
    ("option", "owners"),
    [
        (f"idmap=uids=0-{FIRST + 3}-5;gids=0-{FIRST + 4}-1#1-{FIRST}-1", ["3:4", "4:0"]),
        ("idmap=uids=@0-3-5;gids=@0-4-1#@1-0-1", ["3:4", "4:0"]),
        ("ridmap=uids=@0-3-5;gids=@0-4-2", ["3:4", "4:5"]),
    ],
)
def test_a_bind_shows_owners_by_maps_in_its_option(ours, tmp_path, option, owners):
    """As podman asks crun for it."""
    (tmp_path / "mine").mkdir()
    for number in (0, 1):
        (tmp_path / f"mine/{number}").touch()
        os.chown(tmp_path / f"mine/{number}", number, number)
    bundle = mapped(ours, "stat", "-c", "%u:%g", "/tmp/0", "/tmp/1")
    entry = {"destination": "/tmp", "type": "bind", "source": str(tmp_path / "mine"), "options": ["bind", option]}
    bundle.config["mounts"].append(entry)
    assert ours.ok("run", "c").split() == owners


@pytest.mark.parametrize("maps", ["uids=0-1-1", "uids=0-1;gids=0-1-1", "users=0-1-1", "uids=@0-99999-1;gids=0-1-1", ""])
def test_maps_in_an_option_that_cannot_be_are_an_error(ours, tmp_path, maps):
    bundle = mapped(ours)
    entry = {"destination": "/tmp", "type": "bind", "source": str(tmp_path), "options": ["bind", f"idmap={maps}"]}
    bundle.config["mounts"].append(entry)
    if maps:
        assert "/tmp: invalid argument" in ours.fails("create", "c")
    else:
        ours.ok("create", "c")  # without a word it is the container's


def test_a_bind_shows_the_owners_of_a_joined_user_namespace(ours, tmp_path, pinned):
    (tmp_path / "mine").mkdir()
    bundle = ours.bundle("sh", "-c", "touch /tmp/new; stat -c %u /tmp/new")
    bundle.linux["namespaces"] += pinned("user")
    entry = {"destination": "/tmp", "type": "bind", "source": str(tmp_path / "mine"), "options": ["bind", "idmap"]}
    bundle.config["mounts"].append(entry)
    assert ours.ok("run", "c").split() == ["0"]
    assert os.stat(tmp_path / "mine/new").st_uid == 0


def test_a_bind_shows_the_owners_there_are_when_nothing_is_asked(runtime, tmp_path):
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", FIRST + 3, FIRST + 4)
    reachable(tmp_path)
    bundle = mapped(runtime, "stat", "-c", "%u:%g", "/tmp")
    entry = {"destination": "/tmp", "type": "bind", "source": str(tmp_path / "theirs"), "options": ["bind"]}
    bundle.config["mounts"].append(entry)
    assert runtime.ok("run", "c").strip() == "3:4"


def test_a_source_that_the_mapped_root_cannot_reach_is_bound(ours, tmp_path):
    hidden = tmp_path / "hidden"
    (hidden / "shown").mkdir(parents=True)
    (hidden / "shown/file").write_text("seen\n")
    hidden.chmod(0o700)
    bundle = mapped(ours, "cat", "/tmp/file")
    entry = {"destination": "/tmp", "type": "bind", "source": str(hidden / "shown"), "options": ["bind", "ro"]}
    bundle.config["mounts"].append(entry)
    assert ours.ok("run", "c") == "seen\n"


# Time namespaces

OFFSETS = {"boottime": {"secs": 864000}, "monotonic": {"secs": 86400, "nanosecs": 5}}


@pytest.mark.parametrize("user", ["machine", "mapped"])
def test_clocks_have_the_offsets_that_are_asked_for(ours, user):
    words = ("sh", "-c", "read up idle < /proc/uptime; echo $up; cat /proc/self/timens_offsets")
    bundle = mapped(ours, *words) if user == "mapped" else ours.bundle(*words)
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = OFFSETS
    uptime, *rows = ours.ok("run", "c").splitlines()
    now = float(Path("/proc/uptime").read_text().split()[0])
    assert 863990 < float(uptime) - now < 864010
    assert [row.split() for row in rows] == [["monotonic", "86400", "5"], ["boottime", "864000", "0"]]


def test_a_time_namespace_without_offsets_shows_the_same_time(ours):
    bundle = ours.bundle("sh", "-c", "readlink /proc/self/ns/time; read up idle < /proc/uptime; echo $up")
    bundle.linux["namespaces"].append({"type": "time"})
    namespace, uptime = ours.ok("run", "c").split()
    assert namespace != os.readlink("/proc/self/ns/time")
    assert abs(float(uptime) - float(Path("/proc/uptime").read_text().split()[0])) < 10


def test_a_program_is_executed_in_the_time_namespace_of_the_container(ours):
    bundle = ours.bundle()
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = OFFSETS
    ours.ok("run", "--detach", "c")
    assert float(ours.ok("exec", "c", "sh", "-c", "read up idle < /proc/uptime; echo $up")) > 864000


def test_a_time_namespace_with_a_path_is_joined(ours):
    first = ours.bundle(name="first")
    first.linux["namespaces"].append({"type": "time"})
    first.linux["timeOffsets"] = OFFSETS
    ours.ok("create", "first", name="first")
    path = f"/proc/{ours.state('first')['pid']}/ns/time"
    bundle = ours.bundle("sh", "-c", "readlink /proc/self/ns/time; read up idle < /proc/uptime; echo $up")
    bundle.linux["namespaces"].append({"type": "time", "path": path})
    namespace, uptime = ours.ok("run", "c").split()
    assert namespace == os.readlink(path)
    assert float(uptime) > 864000


@pytest.mark.parametrize(
    ("offsets", "namespace", "words"),
    [
        ({"boottime": {"secs": 1}}, False, "only a new time namespace"),
        ({"realtime": {"secs": 1}}, True, "a clock is monotonic or boottime"),
        ({"boottime": {"secs": -(10**9)}}, True, "negative"),
    ],
)
def test_offsets_that_cannot_be_are_an_error(ours, offsets, namespace, words):
    bundle = ours.bundle()
    if namespace:
        bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = offsets
    assert words in ours.fails("create", "c")
    assert ours.fails("state", "c")


# Within a user namespace of its own

NESTED = """
import os, sys
from orchestra.linux import namespaces, user_namespace
row = [{"containerID": 0, "hostID": 100000, "size": 65536}]
fd = user_namespace.make(row, row)
namespaces.setns(fd, namespaces.CLONE_NEWUSER)
user_namespace.become_root()
namespaces.unshare(namespaces.CLONE_NEWNS)
os.execv(sys.argv[1], sys.argv[1:])
"""
SOURCES = Path(orchestra.__path__[0]).parent


def interpreter():
    """One that others than root may execute."""
    for path in (sys.executable, "/usr/bin/python3"):
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            done = subprocess.run([path, "-c", code], user=FIRST, group=FIRST, cwd="/", capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return path
    return pytest.skip("needs an interpreter that others than root may execute")


class Nested:
    """Commands of the runtime, one after the other, as root of one user namespace."""

    def __init__(self, ours, path) -> None:
        self.ours, self.path = ours, path
        self.root = path / "nested"
        self.root.mkdir()

    def __call__(self, bundle, *commands) -> subprocess.CompletedProcess:
        bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "cgroup"]
        bundle.write()
        for directory in (self.root, bundle.path):
            os.chown(directory, FIRST, FIRST)
        reachable(self.path)
        reachable(self.ours.tree)
        runtime = f"{interpreter()} -m orchestra.oci_cli --root {self.root}"
        script = "; ".join(
            [f"trap '{runtime} delete --force c' EXIT", *(f"{runtime} {command}" for command in commands)]
        )
        return subprocess.run(
            [sys.executable, "-c", NESTED, "/bin/sh", "-ec", script],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=40,
            cwd="/",
            env={"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"},
        )


@pytest.fixture
def nested(ours, tmp_path):
    return Nested(ours, tmp_path)


def test_the_runtime_itself_may_be_in_a_user_namespace_as_its_root(ours, nested):
    """Without rights over the machine's cgroups: that is said, and the container runs without limits."""
    bundle = ours.bundle("sh", "-c", "id -u; cat /proc/self/uid_map; echo x > /dev/null && echo written")
    done = nested(bundle, f"run --bundle {bundle.path} c")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "0", str(FIRST), str(COUNT), "written"]
    assert os.listdir(nested.root) == []


@pytest.mark.parametrize("shared", [("cgroup",), ("network", "uts"), ("pid",)])
def test_its_programs_are_executed_beside_what_the_container_shares_with_the_machine(ours, nested, shared):
    """As podman without root does, whose containers share the cgroup namespace on version 1, or --network host."""
    bundle = ours.bundle("sleep", "60")
    bundle.config.pop("hostname")
    bundle.linux["namespaces"] = [{"type": kind} for kind in (*BESIDE, "mount") if kind not in shared]
    files = [f"/proc/self/ns/{namespaces.FILES.get(kind, kind)}" for kind in shared]
    executed = "exec c stat -L -c %i " + " ".join(files)
    done = nested(bundle, f"run --detach --bundle {bundle.path} c > /dev/null 2>&1", executed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(os.stat(file).st_ino) for file in files]
