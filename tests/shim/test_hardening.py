"""Known ways out of a container, each tried: docs/explanation/security.md has the list."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from orchestra.linux import process
from orchestra.linux.security import capabilities
from tests.forking import fork
from tests.shim.conftest import eventually

EVERY = dict.fromkeys(("bounding", "effective", "permitted"), capabilities.NAMES)
TERMINAL = {"terminal": True}


# Descriptors


def test_no_descriptor_but_the_streams_reaches_the_program(stack):
    """CVE-2024-21626, CVE-2016-9962: a descriptor of the runtime that leads out. The fourth is of ls itself."""
    container = stack.container("ls", "/proc/self/fd")
    assert container.finish() == ["0", "1", "2", "3"]


def test_no_descriptor_but_the_streams_reaches_what_is_executed(stack):
    container = stack.container("sleep", "60")
    container.run()
    assert container.output_of("ls", "/proc/self/fd") == (0, "0\n1\n2\n3\n")


def test_a_working_directory_by_a_descriptor_is_refused_to_an_execution(stack):
    container = stack.container("sleep", "60")
    container.run()
    for number in range(3, 24):
        with pytest.raises(OSError, match=r"Not a directory|Permission denied|No such file"):
            container.output_of("pwd", cwd=f"/proc/self/fd/{number}")


# The runtime's own program


def test_what_a_process_of_ours_executes_is_on_a_read_only_mount(stack):
    """CVE-2019-5736. "Text file busy" would be luck: it is so only while something executes it."""
    container = stack.container("true")
    container.create()
    for pid in (stack.fork_server.pid, container.shim.pid, container.state().pid):
        assert os.statvfs(f"/proc/{pid}/exe").f_flag & os.ST_RDONLY


def test_a_program_that_is_the_runtime_itself_cannot_write_it(stack):
    """CVE-2019-5736 as it was: the image's entry point is a link to /proc/self/exe, and its loader is the image's."""
    script = "import os; print(os.statvfs('/proc/self/exe').f_flag & os.ST_RDONLY, os.path.isdir('/root'))"
    container = stack.container(
        "/usr/bin/python3",
        *("-I", "-S", "-c", script),
        env=["PATH=/usr/bin", f"PYTHONHOME={sys.base_prefix}"],
        mounts=[
            {"destination": path, "type": "bind", "source": os.path.realpath(path), "options": ["rbind", "ro"]}
            for path in (f"{sys.base_prefix}/lib", "/lib", "/lib64", "/usr/lib")
            if os.path.isdir(path)
        ],
    )
    os.makedirs(f"{container.directory}/upper/usr/bin")
    os.symlink("/proc/self/exe", f"{container.directory}/upper/usr/bin/python3")
    assert container.finish() == ["1 True"]


def test_no_process_may_look_into_one_that_is_becoming_a_containers(stack):
    """ptrace(2): whoever may could take its descriptors and memory; the files of /proc/PID tell who may."""
    container = stack.container("true", user={"uid": 1000, "gid": 1000})
    container.create()
    assert os.stat(f"/proc/{container.state().pid}/fd").st_uid == 0


@pytest.mark.parametrize("shared", [False, True])
def test_a_first_process_shows_nothing_of_the_machine(stack, shared):
    """To those with whom it shares a PID namespace, before its program runs: cmdline is open to all of them."""
    container = stack.container("true")
    if shared:
        other = stack.container("sleep", "60", name="other")
        path = f"/proc/{other.run().pid}/ns/pid"
        spaces = container.config["linux"]["namespaces"]
        container.config["linux"]["namespaces"] = [
            {"type": "pid", "path": path} if space["type"] == "pid" else space for space in spaces
        ]
        container.write()
    container.create()
    shown = Path(f"/proc/{container.state().pid}/cmdline").read_bytes()
    assert shown.rstrip(b"\0") in (b"orchestra-fork", b"orchestra-init")


def test_no_module_comes_from_the_container():
    """CVE-2019-14271: code of the image, loaded by a process that still has the host's privileges."""
    pid = fork()
    if pid == 0:
        code = 1
        try:
            process.forbid_imports()
            sys.modules.pop("colorsys", None)
            try:
                import colorsys  # noqa: F401
            except ModuleNotFoundError:
                import marshal  # noqa: F401  # built in

                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("how", ["run", "exec"])
def test_all_that_is_needed_in_a_container_is_loaded_before(stack, how):
    """An error that nobody expects, the rarest of paths, is told in words without a module more."""
    container = stack.container("sleep", "60")
    if how == "exec":
        container.run()
    container.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": "many", "hard": 1}]
    container.write()
    with pytest.raises(OSError, match=r"TypeError.*privileges\.py"):
        container.run() if how == "run" else container.execute("true")


# Mounts and files of /proc that are not what they seem


def hostile_dev(container, **entries):
    """No /dev of the runtime's making: the image has one."""
    container.config["mounts"] = [m for m in container.config["mounts"] if not m["destination"].startswith("/dev")]
    container.write()
    dev = Path(container.directory, "upper/dev")
    dev.mkdir(parents=True)
    for name, target in entries.items():
        (dev / name).symlink_to(target)
    return dev


@pytest.mark.parametrize("target", ["/proc/sys/kernel/core_pattern", "/etc/secret", None])
def test_a_false_null_device_masks_nothing(stack, target):
    """CVE-2025-31133: what /dev/null leads to would appear, writable, where something is masked."""
    container = stack.shell("cat /etc/passwd; sleep 60", linux={"maskedPaths": ["/etc/passwd"]})
    dev = hostile_dev(container, **({"null": target} if target else {}))
    if target is None:
        (dev / "null").write_text("mine\n")
    with pytest.raises(OSError, match=r"/dev/null.*not the null device"):
        container.run()
    assert container.leftovers() == []


def test_a_link_at_the_console_leads_the_terminal_nowhere(stack):
    """CVE-2025-52565: the terminal would be mounted over a file of /proc before that is masked."""
    container = stack.container("true", **TERMINAL)
    devpts = next(m for m in container.config["mounts"] if m["destination"] == "/dev/pts")
    dev = hostile_dev(container, console="/proc/sys/kernel/core_pattern")
    (dev / "pts").mkdir()
    container.config["mounts"].append(devpts)
    container.write()
    with pytest.raises(OSError, match=r"/dev/console.*symbolic link"):
        container.run()


def test_a_false_multiplexer_gives_no_terminal(stack):
    container = stack.container("true", **TERMINAL)
    dev = hostile_dev(container)
    (dev / "pts").mkdir()
    (dev / "pts/ptmx").write_text("")
    with pytest.raises(OSError, match=r"/dev/pts/ptmx.*not the multiplexer"):
        container.run()


def test_a_false_multiplexer_gives_no_terminal_to_an_execution(stack):
    """The container rules its own mounts by then. A pipe there must not keep us waiting either."""
    container = stack.shell("busybox mkfifo /p; mount --bind /p /dev/pts/ptmx && sleep 60", capabilities=EVERY)
    container.run()
    eventually(lambda: "/dev/pts/ptmx" in Path(f"/proc/{container.state().pid}/mounts").read_text())
    with pytest.raises(OSError, match=r"/dev/pts/ptmx"):
        container.execute("true", **TERMINAL)


SYSCTL = {"sysctl": {"kernel.shmmni": "1234"}}


def test_a_sysctl_is_written_to_a_procfs_or_not_at_all(stack):
    """CVE-2025-52881, CVE-2019-16884: a file elsewhere that only looks like one of /proc."""
    container = stack.container("true", linux=SYSCTL)
    container.config["mounts"] = [m for m in container.config["mounts"] if m["destination"] != "/proc"]
    container.write()
    false = Path(container.directory, "upper/proc/sys/kernel")
    false.mkdir(parents=True)
    (false / "shmmni").write_text("")
    with pytest.raises(OSError, match=r"/proc.*not a procfs"):
        container.run()
    assert (false / "shmmni").read_text() == ""


def test_a_sysctl_does_not_lead_out_of_its_directory(stack):
    container = stack.container("true", linux={"sysctl": {"kernel/../../1/comm": "mine"}})
    with pytest.raises(OSError, match="sysctl"):
        container.run()


def test_a_root_that_is_a_link_is_no_way_to_mount_on_the_host(stack, tmp_path):
    """CVE-2021-30465, CVE-2019-19921: /proc of the image is a link, and a mount goes where it leads."""
    (tmp_path / "away").mkdir()
    container = stack.container("ls", f"{tmp_path}/away")
    (Path(container.directory, "upper")).mkdir(exist_ok=True)
    os.symlink(f"../../../../../..{tmp_path}/away", f"{container.directory}/upper/link")
    container.config["mounts"].append({"destination": "/link/proc", "type": "proc", "source": "proc"})
    container.write()
    assert container.finish() == ["proc"]
    assert os.listdir(tmp_path / "away") == []


# Capabilities


def test_no_inheritable_capabilities_unless_asked_for(stack):
    """CVE-2022-24769, CVE-2022-29162: with them a file capability of the image would be more than it says."""
    container = stack.container("grep", "CapInh", "/proc/self/status")
    assert container.finish() == ["CapInh:\t0000000000000000"]
    container = stack.container("sleep", "60", name="other")
    container.run()
    assert container.output_of("grep", "CapInh", "/proc/self/status")[1] == "CapInh:\t0000000000000000\n"


def test_a_cgroup_of_version_1_has_no_release_agent_to_set(stack):
    """CVE-2022-0492: the host would run a program of the container's."""
    options = ["ro", "nosuid", "noexec", "nodev"]
    container = stack.shell(
        "ls /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; mount -t cgroup -o memory none /tmp; true",
        mounts=[{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options}],
    )
    assert container.finish() == []
    assert len(container.texts("stderr")) >= 2


def test_a_socket_of_the_host_is_not_reached_by_an_abstract_name(stack):
    """CVE-2020-15257: abstract sockets belong to the network namespace."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0orchestra-test-{os.getpid()}")
        container = stack.shell("cat /proc/net/unix")
        assert not any("orchestra-test" in line for line in container.finish())


@pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox")
def test_the_hosts_processes_are_out_of_sight_and_reach(stack):
    container = stack.shell(f"ls /proc | grep -c '^[0-9]'; kill -0 {os.getpid()} || echo none", capabilities=EVERY)
    assert container.finish()[-1] == "none"
