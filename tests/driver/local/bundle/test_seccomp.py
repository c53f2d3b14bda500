"""``linux.seccomp`` of a bundle: what the default profile allows to whom, and profiles in files."""

from __future__ import annotations

import json
import os
from errno import ENOSYS, EPERM

import pytest

from orchestra.driver.local.bundle.capability import DEFAULT
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.seccomp import render_default_profile, resolve_profile
from orchestra.driver.local.bundle.world import HostFacts
from orchestra.driver.local.confinement import store_filter
from orchestra.errors import FatalError
from orchestra.linux.security import libseccomp
from orchestra.linux.security.capabilities import NAMES
from tests.driver.local.bundle.containers import render, spec
from tests.linux.security.test_libseccomp import errno_of

# Docker's documentation, "Significant syscalls blocked by the default profile": those that no argument makes good.
CALLS = """
acct add_key bpf clock_settime create_module delete_module finit_module get_kernel_syms get_mempolicy
init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind mount move_pages
nfsservctl open_by_handle_at perf_event_open pivot_root query_module quotactl reboot request_key set_mempolicy
setns settimeofday stime swapon swapoff sysfs _sysctl umount umount2 unshare uselib userfaultfd ustat vm86
vm86old io_uring_setup io_uring_enter io_uring_register
"""
BLOCKED = frozenset(CALLS.split())


def allowed(profile):
    return {
        name
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args")
        for name in rule["names"]
    }


def test_a_container_without_capabilities_may_not_touch_the_machine():
    found = allowed(render_default_profile(frozenset(), "x86_64"))
    assert not found.intersection(BLOCKED)
    assert not {"clone", "clone3", "socket", "personality", "syslog", "vhangup", "chroot"} & found
    assert {"read", "execve", "futex", "openat2", "epoll_wait", "arch_prctl", "seccomp", "ptrace"} <= found


def test_a_capability_brings_the_calls_it_is_for():
    assert "mount" in allowed(render_default_profile(frozenset({"CAP_SYS_ADMIN"}), "x86_64"))
    assert "mount" not in allowed(render_default_profile(frozenset({"CAP_SYS_TIME"}), "x86_64"))
    assert "clock_settime" in allowed(render_default_profile(frozenset({"CAP_SYS_TIME"}), "x86_64"))


def test_namespaces_are_refused_to_clone_and_clone3_is_no_such_call():
    rules = render_default_profile(frozenset(), "x86_64")["syscalls"]
    [clone] = [rule for rule in rules if "clone" in rule["names"]]
    assert clone["args"] == [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0x7E020000}]
    [clone3] = [rule for rule in rules if "clone3" in rule["names"]]
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_each_machine_has_its_own_calls_and_runs_its_older_programs():
    arm = render_default_profile(frozenset(), "aarch64")
    assert arm["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert "arch_prctl" not in allowed(arm)
    assert "cacheflush" in allowed(arm)
    assert "architectures" not in render_default_profile(frozenset(), "riscv64")


@pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")
@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
@pytest.mark.parametrize("capabilities", [(), NAMES], ids=["none", "all"])
def test_every_default_profile_compiles(machine, capabilities):
    assert len(libseccomp.compile_profile(render_default_profile(frozenset(capabilities), machine))) > 1000


def test_every_name_of_the_table_is_a_system_call():
    library = libseccomp._library()
    if library is None:
        pytest.skip("needs libseccomp (Debian: libseccomp2)")
    names = {
        name
        for machine in ("x86_64", "aarch64")
        for rule in render_default_profile(frozenset(NAMES), machine)["syscalls"]
        for name in rule["names"]
    }
    unknown = {name for name in names if library.seccomp_syscall_resolve_name(name.encode()) == libseccomp.UNKNOWN}
    assert unknown <= {*libseccomp.NEWER}


@pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")
@pytest.mark.parametrize(
    ("number", "answer"),
    [
        *((number, ENOSYS) for number in (459, 460, 461, 467, 468, 469, 470, 499, 1000, 999_999)),
        *((number, EPERM) for number in (425, 428, 457)),  # io_uring_setup, open_tree, statmount
    ],
)
def test_unknown_system_calls_give_enosys(number, answer):
    """EPERM is for what Docker refuses: programs take it for an answer, and ENOSYS for an older kernel."""
    assert errno_of(number, render_default_profile(frozenset(DEFAULT), os.uname().machine)) == answer


@pytest.mark.parametrize(
    ("options", "privileged", "confined"),
    [
        ((), False, True),
        (("seccomp=builtin",), False, True),
        (("seccomp:unconfined",), False, False),
        (("seccomp=unconfined",), False, False),
        ((), True, False),
        (("seccomp=builtin",), True, True),
    ],
)
def test_who_is_confined(options, privileged, confined):
    assert ("seccomp" in render(security_options=options, privileged=privileged)["linux"]) is confined


def test_the_default_profile_follows_cap_add():
    assert "mount" not in allowed(render()["linux"]["seccomp"])
    assert "mount" in allowed(render(cap_add=("SYS_ADMIN",))["linux"]["seccomp"])


def test_a_custom_profile(tmp_path):
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_LOG", "syscalls": []}))
    asked = {"security_options": (f"seccomp={path}",)}
    config = render(host=observe_host(spec(**asked)), **asked)
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_LOG"


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_profile_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "profile.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FatalError, match=r"service web: the seccomp profile .*profile\.json"):
        observe_host(spec(security_options=(f"seccomp={path}",)))


@pytest.mark.parametrize("profile", [{}, {"defaultAction": "SCMP_ACT_ALLOW", "archMap": [3]}])
def test_what_is_no_profile(profile):
    with pytest.raises(FatalError, match="service web: /p is not a seccomp profile"):
        render(host=HostFacts(seccomp_profile=profile), security_options=("seccomp=/p",))


def rule(name, **more):
    return {"names": [name], "action": "SCMP_ACT_ALLOW", **more}


def test_conditions_of_a_profile_are_decided():
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        ],
        "syscalls": [
            rule("always"),
            {"name": "single", "action": "SCMP_ACT_ALLOW"},
            rule("held", includes={"caps": ["CAP_KILL"]}),
            rule("lacking", includes={"caps": ["CAP_KILL", "CAP_CHOWN"]}),
            rule("excluded", excludes={"caps": ["CAP_CHOWN", "CAP_KILL"]}),
            rule("not_excluded", excludes={"caps": ["CAP_CHOWN"]}),
            rule("intel", includes={"arches": ["amd64", "x32"]}),
            rule("arm", includes={"arches": ["arm64"]}),
            rule("old", includes={"minKernel": "4.8"}),
            rule("new", includes={"minKernel": "6.10"}),
        ],
    }
    found = resolve_profile(profile, ["CAP_KILL"], "x86_64", "6.9.1-generic")
    assert found["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert [name for rule in found["syscalls"] for name in rule["names"]] == [
        "always",
        "single",
        "held",
        "not_excluded",
        "intel",
        "old",
    ]


@pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")
def test_the_bundle_carries_the_compiled_filter(tmp_path):
    config, whole = render(), render()
    compiled = libseccomp.compile_profile(config["linux"]["seccomp"])
    assert store_filter(config, str(tmp_path)) == "seccomp.bpf"
    assert (tmp_path / "seccomp.bpf").read_bytes() == compiled
    assert store_filter(whole, str(tmp_path), whole=True) == "seccomp.bpf"
    assert whole == render(), "another runtime compiles it itself"
    assert store_filter(render(privileged=True), str(tmp_path)) == ""


@pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")
def test_of_the_rules_a_bundle_keeps_those_that_ask_another_process(tmp_path):
    config = render()
    asking = {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}
    profile = {**config["linux"]["seccomp"], "listenerPath": "/listener"}
    config["linux"]["seccomp"] = {**profile, "syscalls": [*profile["syscalls"], asking]}
    store_filter(config, str(tmp_path))
    assert config["linux"]["seccomp"] == {**profile, "syscalls": [asking]}


def test_without_the_library_containers_run_and_that_is_said_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(libseccomp, "is_installed", lambda: False)
    for _ in range(2):
        config = render()
        assert store_filter(config, str(tmp_path)) == ""
        assert "seccomp" not in config["linux"]
    assert capsys.readouterr().err.count("libseccomp is not installed") <= 1


@pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")
def test_a_profile_that_does_not_compile_is_the_users_to_correct(tmp_path):
    host = HostFacts(seccomp_profile={"defaultAction": "SCMP_ACT_SHRUG"})
    with pytest.raises(FatalError, match="SCMP_ACT_SHRUG"):
        store_filter(render(host=host, security_options=("seccomp=/p",)), str(tmp_path))
