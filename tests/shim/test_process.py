"""What of the process object and the Linux part of config.json reaches a container's program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestra.linux.network.namespace import pin_namespace, unpin_namespace
from orchestra.linux.security import capabilities
from orchestra.shim import client
from tests.shim.conftest import CAPABILITIES, NAMESPACES, eventually

REAPED = {"io.orchestra.init": "true"}
OWN_NAMESPACES = {"mount": "mnt", "network": "net"}


def status_of(lines):
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_arguments_environment_and_directory(stack):
    container = stack.shell(
        'for word; do echo "<$word>"; done; pwd; env',
        env=["PATH=/usr/bin", "EMPTY=", "A=b=c", "SPACE=x  y"],
        cwd="/new/dir",
    )
    container.config["process"]["args"] += ["zero", "", "two words", "ünïcode"]
    container.write()
    lines = container.finish()
    assert lines[:3] == ["<>", "<two words>", "<ünïcode>"]
    assert lines[3] == "/new/dir"
    assert {"EMPTY=", "A=b=c", "SPACE=x  y", "PATH=/usr/bin"} <= {*lines[4:]}
    assert "HOME=/root" in lines  # of /etc/passwd in the root
    assert not any(line.startswith(("ORCHESTRA", "VIRTUAL")) for line in lines)


def test_a_directory_that_leads_out_by_a_descriptor_is_refused(stack):
    container = stack.container("pwd")
    for number in range(3, 20):
        container.config["process"]["cwd"] = f"/proc/self/fd/{number}"
        container.write()
        with pytest.raises(OSError, match=r"Not a directory|symbolic links|No such file"):
            container.run()


def test_user_groups_and_umask(stack):
    user = {"uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 0o077}
    container = stack.shell("id -u; id -g; id -G; umask; echo hello > /dev/stdout", user=user)
    assert container.finish() == ["1000", "1001", "1001 7 8", "0077", "hello"]


def test_root_has_the_capabilities_it_is_granted_and_no_more(stack):
    container = stack.container("cat", "/proc/self/status")
    status = status_of(container.finish())
    wanted = sum(1 << capabilities.NUMBERS[name] for name in CAPABILITIES)
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[name], 16) == wanted, name
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_another_user_has_only_ambient_capabilities(stack):
    sets = dict.fromkeys(("bounding", "effective", "permitted"), ("CAP_CHOWN", "CAP_NET_RAW"))
    sets |= dict.fromkeys(("inheritable", "ambient"), ("CAP_NET_RAW",))
    container = stack.container("cat", "/proc/self/status", user={"uid": 1000, "gid": 1000}, capabilities=sets)
    status = status_of(container.finish())
    raw = 1 << capabilities.NUMBERS["CAP_NET_RAW"]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == raw
    assert int(status["CapBnd"], 16) == raw | 1 << capabilities.NUMBERS["CAP_CHOWN"]


def test_unknown_and_missing_capabilities_are_warnings(stack):
    sets = dict.fromkeys(("bounding", "effective", "permitted"), ("CAP_NONSENSE", *capabilities.NAMES))
    container = stack.container("true", capabilities=sets)
    warnings = container.run().warnings
    assert warnings[0] == "unknown capability CAP_NONSENSE"
    lacking = [name for name in capabilities.NAMES if not capabilities.held() >> capabilities.NUMBERS[name] & 1]
    known = [name for name in lacking if capabilities.NUMBERS[name] <= capabilities.LAST]
    assert [*warnings[1:]] == [f"{name} cannot be granted: this process does not hold it" for name in known]
    assert container.wait().exit_code == 0


def test_resource_limits(stack):
    limits = [
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]
    container = stack.shell(
        "ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj", rlimits=limits, oomScoreAdj=500
    )
    assert container.finish() == ["100", "200", "0", "500"]


def test_a_limit_that_may_not_be_raised_is_a_warning(stack):
    limits = [{"type": "RLIMIT_NOFILE", "soft": 1 << 30, "hard": 1 << 30}]
    container = stack.container("true", rlimits=limits)
    (warning,) = container.run().warnings
    assert warning.startswith("RLIMIT_NOFILE stays at ")


def test_a_limit_that_makes_no_sense_fails(stack):
    container = stack.container("true", rlimits=[{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 8}])
    with pytest.raises(OSError, match="RLIMIT_NOFILE"):
        container.run()


def test_signals_are_as_a_program_expects_them(stack):
    status = status_of(stack.container("cat", "/proc/self/status").finish())
    internal = 1 << 31 | 1 << 32  # signals 32 and 33 are libc's own, and as whoever started the tests left them
    assert int(status["SigBlk"], 16) == 0
    assert int(status["SigIgn"], 16) & ~internal == 0
    assert int(status["SigCgt"], 16) == 0


def test_no_descriptor_of_ours_reaches_the_container(stack):
    extra = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(3)]
    try:
        container = stack.shell("ls -l /proc/self/fd")
        lines = container.finish()
    finally:
        for fd in extra:
            os.close(fd)
    numbers = [line.split()[8] for line in lines if "->" in line]
    assert numbers == ["0", "1", "2"]


def test_every_namespace_is_its_own(stack):
    container = stack.shell("for n in /proc/self/ns/*; do readlink $n; done; echo $$; hostname")
    *links, pid, hostname = container.finish()
    inside = dict(link.rstrip("]").split(":[") for link in links)
    for kind in NAMESPACES:
        name = OWN_NAMESPACES.get(kind, kind)
        assert inside[name] != os.readlink(f"/proc/self/ns/{name}").rstrip("]").partition("[")[2], kind
    assert (pid, hostname) == ("1", "s-web-1")
    assert os.uname().nodename != "s-web-1"


def test_a_namespace_is_joined_by_path(stack, tmp_path):
    pin = str(tmp_path / "net")
    pin_namespace(pin)
    try:
        kinds = [{"type": kind} for kind in NAMESPACES if kind != "network"]
        container = stack.container(
            "readlink", "/proc/self/ns/net", linux={"namespaces": [*kinds, {"type": "network", "path": pin}]}
        )
        assert container.finish() == [f"net:[{os.stat(pin).st_ino}]"]
    finally:
        unpin_namespace(pin)


def test_another_containers_processes_are_joined_and_left(stack):
    first = stack.container("sleep", "60", name="first")
    pid = first.run().pid
    kinds = [{"type": kind} for kind in NAMESPACES if kind not in ("pid", "ipc")]
    joined = [{"type": kind, "path": f"/proc/{pid}/ns/{kind}"} for kind in ("pid", "ipc")]
    second = stack.shell("ps -o args; sleep 61 & echo done", name="second", linux={"namespaces": [*kinds, *joined]})
    lines = second.finish()
    assert "sleep 60" in lines
    assert lines[-1] == "done"
    assert "sleep 61" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert first.state().pid == pid


def test_without_a_namespace_the_hosts_is_shared(stack):
    container = stack.container(
        "readlink", "/proc/self/ns/net", linux={"namespaces": [{"type": "mount"}, {"type": "pid"}]}
    )
    container.config.pop("hostname")
    container.config["mounts"] = [mount for mount in container.config["mounts"] if mount["type"] != "sysfs"]
    container.write()
    assert container.finish() == [os.readlink("/proc/self/ns/net")]


def test_sysctls_of_its_own_namespaces(stack):
    values = {"net.ipv4.ip_unprivileged_port_start": "77", "kernel.msgmax": "12345"}
    container = stack.shell(
        "cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start kernel/msgmax; echo 9 > /proc/sys/kernel/msgmax; true",
        linux={"sysctl": values, "readonlyPaths": ["/proc/sys"]},
    )
    assert container.finish() == ["77", "12345"]
    assert Path("/proc/sys/kernel/msgmax").read_text().strip() != "12345"
    assert "Read-only" in container.texts("stderr")[0]


def test_the_reaper_forwards_signals_and_collects_orphans(stack):
    script = "trap 'exit 9' TERM; (sh -c 'sleep 0.01 &' ); echo $$; ls -d /proc/[0-9]*; while :; do sleep 0.01; done"
    container = stack.shell(script, annotations=REAPED)
    container.run()
    eventually(lambda: len(container.texts("stdout")) >= 3)
    lines = container.texts("stdout")
    assert lines[0] != "1"
    assert "/proc/1" in lines
    eventually(lambda: zombies(container) == [])
    client.kill(container.directory, 15)
    assert container.wait().exit_code == 9


def zombies(container):
    _code, text = container.output_of("ps", "-o", "stat,args")
    return [line for line in text.splitlines()[1:] if line.startswith("Z")]


def test_the_reaper_shows_nothing_of_the_machine(stack):
    script = "cat /proc/1/comm; for f in cmdline environ; do tr '\\0' ' ' < /proc/1/$f; echo; done"
    lines = stack.shell(script, annotations=REAPED).finish()
    assert [line.strip() for line in lines] == ["orchestra-init", "orchestra-init", ""]


def test_the_reaper_passes_the_exit_code_on(stack):
    container = stack.container("sh", "-c", "exit 7", annotations=REAPED)
    container.run()
    assert container.wait().exit_code == 7
    failing = stack.container("nonsense", name="failing", annotations=REAPED)
    with pytest.raises(OSError, match="nonsense"):
        failing.run()
