"""OCI runtime specification, config: "Process", "Linux Process", "Domainname"; config-linux: "Personality", labels."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

import pytest

from orchestra.linux import scheduling
from orchestra.linux.security import security_label
from orchestra.linux.syscall import check, raw
from tests.oci_cli.conftest import OURS
from tests.oci_cli.test_namespaces import mapped

IOPRIO_GET = {"x86_64": 252, "aarch64": 31, "riscv64": 31}


def io_priority(pid):
    value = check(raw(IOPRIO_GET[os.uname().machine], scheduling.IOPRIO_WHO_PROCESS, pid), "ioprio_get")
    return value >> scheduling.IOPRIO_CLASS_SHIFT, value & 7


def attributes(pid):
    """sched_getattr(2)."""
    found = scheduling._SchedAttr()
    number = scheduling.NUMBERS[os.uname().machine][0] + 1
    check(raw(number, pid, ctypes.byref(found), ctypes.sizeof(found), 0), "sched_getattr")
    return found


# scheduler


@pytest.mark.parametrize(
    ("wanted", "policy", "nice"),
    [
        ({"policy": "SCHED_OTHER", "nice": 11}, os.SCHED_OTHER, 11),
        ({"policy": "SCHED_BATCH", "nice": 3}, os.SCHED_BATCH, 3),
        ({"policy": "SCHED_IDLE"}, os.SCHED_IDLE, 0),
    ],
)
@pytest.mark.parametrize("user", ["machine", "mapped"])
def test_the_scheduler_is_as_asked_for(ours, wanted, policy, nice, user):
    bundle = mapped(ours) if user == "mapped" else ours.bundle()
    bundle.process["scheduler"] = wanted
    ours.ok("create", "c")
    pid = ours.state()["pid"]
    assert (os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid)) == (policy, nice)


def test_scheduler_flags_are_set(ours):
    ours.bundle(scheduler={"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]})
    ours.ok("create", "c")
    assert attributes(ours.state()["pid"]).flags == scheduling.FLAGS["SCHED_FLAG_RESET_ON_FORK"]


def test_a_real_time_policy_is_set_or_refused_with_the_reason(ours):
    """On version 1 a group has real-time budget only when somebody gives it some."""
    ours.bundle(scheduler={"policy": "SCHED_FIFO", "priority": 3})
    done = ours("create", "c")
    if done.returncode:
        assert "real-time" in done.stderr
    else:
        pid = ours.state()["pid"]
        assert (os.sched_getscheduler(pid), os.sched_getparam(pid).sched_priority) == (os.SCHED_FIFO, 3)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"policy": "SCHED_NONE"}, "SCHED_NONE is not known"),
        ({"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_NONE"]}, "SCHED_FLAG_NONE is not known"),
        ({"policy": "SCHED_OTHER", "priority": 5}, "sched_setattr SCHED_OTHER: invalid argument"),
    ],
)
def test_a_scheduler_that_cannot_be_is_an_error(ours, wanted, words):
    ours.bundle(scheduler=wanted)
    assert words in ours.fails("create", "c")
    assert ours.fails("state", "c")


def test_a_program_is_executed_with_the_scheduler_of_the_container(ours):
    ours.bundle(scheduler={"policy": "SCHED_BATCH", "nice": 4})
    ours.ok("run", "--detach", "c")
    ours.ok("exec", "--detach", "--pid-file", str(ours.path / "pid"), "c", "sleep", "50")
    pid = int((ours.path / "pid").read_text())
    assert (os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid)) == (os.SCHED_BATCH, 4)


# ioPriority


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"class": "IOPRIO_CLASS_BE", "priority": 6}, (2, 6)),
        ({"class": "IOPRIO_CLASS_RT", "priority": 1}, (1, 1)),
        ({"class": "IOPRIO_CLASS_IDLE"}, (3, 0)),
    ],
)
def test_the_io_priority_is_as_asked_for(ours, wanted, found):
    ours.bundle(ioPriority=wanted)
    ours.ok("create", "c")
    assert io_priority(ours.state()["pid"]) == found


@pytest.mark.parametrize("wanted", [{"class": "IOPRIO_CLASS_NONE"}, {"class": "IOPRIO_CLASS_BE", "priority": 8}])
def test_an_io_priority_that_cannot_be_is_an_error(ours, wanted):
    ours.bundle(ioPriority=wanted)
    assert "process.ioPriority" in ours.fails("create", "c")


# execCPUAffinity


def test_a_program_is_executed_on_the_processors_that_are_asked_for(ours):
    (last,) = sorted(os.sched_getaffinity(0))[-1:]
    ours.bundle(execCPUAffinity={"initial": str(last), "final": str(last)})
    ours.ok("run", "--detach", "c")
    assert os.sched_getaffinity(ours.state()["pid"]) == os.sched_getaffinity(0), "it is not for the first process"
    assert ours.ok("exec", "c", "grep", "Cpus_allowed_list", "/proc/self/status").split()[1] == str(last)


@pytest.mark.parametrize("kind", ["initial", "final"])
def test_either_of_the_two_is_enough(ours, kind):
    (first,) = sorted(os.sched_getaffinity(0))[:1]
    ours.bundle(execCPUAffinity={kind: f"{first}-{first}"})
    ours.ok("run", "--detach", "c")
    assert ours.ok("exec", "c", "grep", "Cpus_allowed_list", "/proc/self/status").split()[1] == str(first)


@pytest.mark.parametrize("text", ["one", "9999", "1-", "3-1"])
def test_processors_that_cannot_be_are_an_error(ours, text):
    ours.bundle(execCPUAffinity={"initial": text})
    ours.ok("run", "--detach", "c")
    assert text in ours.fails("exec", "c", "true")


# personality and domain name


@pytest.mark.lacks(runc="1.1 passes over it")
def test_the_personality_is_as_asked_for(runtime):
    bundle = runtime.bundle()
    bundle.linux["personality"] = {"domain": "LINUX32"}
    runtime.ok("run", "--detach", "c")
    assert int(Path(f"/proc/{runtime.state()['pid']}/personality").read_text(), 16) == 8


def test_a_program_is_executed_with_the_personality_of_the_container(ours):
    ours.bundle().linux["personality"] = {"domain": "LINUX32"}
    ours.ok("run", "--detach", "c")
    assert ours.ok("exec", "c", "cat", "/proc/self/personality").strip() == "00000008"


def test_an_unknown_personality_is_an_error(ours):
    ours.bundle().linux["personality"] = {"domain": "MINIX"}
    assert "MINIX is not known" in ours.fails("create", "c")


@pytest.mark.lacks(runc="1.1 passes over it")
def test_the_domain_name_is_set_in_the_container(runtime):
    runtime.bundle("cat", "/proc/sys/kernel/domainname").config["domainname"] = "example"
    assert runtime.ok("run", "c") == "example\n"
    assert Path("/proc/sys/kernel/domainname").read_text() != "example\n"


# labels of security modules


@pytest.mark.parametrize("module", [security_label.APPARMOR, security_label.SELINUX])
@pytest.mark.parametrize("command", ["create", "exec"])
def test_a_label_without_an_active_module_is_an_error(ours, module, command):
    if security_label.is_active(module):
        pytest.skip(f"{module} is active here")
    key, option = {
        security_label.APPARMOR: ("apparmorProfile", "--apparmor"),
        security_label.SELINUX: ("selinuxLabel", "--process-label"),
    }[module]
    bundle = ours.bundle()
    if command == "create":
        bundle.process[key] = "label"
        said = ours.fails("create", "c")
    else:
        ours.ok("run", "--detach", "c")
        said = ours.fails("exec", option, "label", "c", "true")
    assert f"no active {module}" in said


def test_a_mount_label_without_an_active_module_is_an_error(ours):
    if security_label.is_active(security_label.SELINUX):
        pytest.skip("selinux is active here")
    ours.bundle().linux["mountLabel"] = "system_u:object_r:container_file_t:s0"
    assert "no active selinux" in ours.fails("create", "c")


@pytest.mark.skipif(not security_label.is_active(security_label.APPARMOR), reason="needs an active AppArmor")
def test_an_apparmor_profile_is_entered_with_the_program(ours):
    """``unconfined`` is loaded everywhere, and is where we are."""
    ours.bundle("cat", "/proc/self/attr/current", apparmorProfile="unconfined")
    assert ours.ok("run", "c").strip() == "unconfined"
    ours.bundle(apparmorProfile="no-such-profile")
    ours.ok("create", "c")
    assert "no such profile" in ours.fails("start", "c")


# what was there before


def test_limits_are_those_of_the_configuration(runtime):
    bundle = runtime.bundle("sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Sc")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    bundle.process["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": min(hard, 200)},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]
    assert runtime.ok("run", "c").split() == ["100", str(min(hard, 200)), "0"]


def test_an_unknown_limit_is_an_error(runtime):
    runtime.bundle(rlimits=[{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}])
    assert runtime.fails("create", "c")


def test_features_tell_what_is_tried_here(ours):
    import json

    told = json.loads(ours.ok("features"))
    features = told["linux"]
    assert {"idmap", "ridmap", "rro", "tmpcopyup"} <= {*told["mountOptions"]}
    assert {"user", "time"} <= {*features["namespaces"]}
    assert features["mountExtensions"]["idmap"]["enabled"]
    assert features["apparmor"]["enabled"]
    assert features["selinux"]["enabled"]
    assert {"SCMP_ACT_NOTIFY", "SCMP_ACT_ERRNO"} <= {*features["seccomp"]["actions"]}
    assert features["intelRdt"]["enabled"]
    assert ours.name == OURS
