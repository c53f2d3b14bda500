"""OCI runtime spec, config-linux, "Seccomp": filters, as a container and what is executed in it meet them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.driver.local.bundle.seccomp import render_default_profile
from orchestra.linux.security import capabilities, libseccomp
from tests.shim.conftest import CAPABILITIES

pytestmark = pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")

ALLOW = {"defaultAction": "SCMP_ACT_ALLOW"}
STATUS = "grep -E '^(Seccomp|CapEff|CapPrm|CapAmb|NoNewPrivs):' /proc/self/status"


def confine(container, profile):
    container.config["linux"]["seccomp"] = profile
    container.settings["seccomp"] = "seccomp.bpf"
    Path(container.directory, "seccomp.bpf").write_bytes(libseccomp.compile_profile(profile))
    container.write()
    return container


def refusing(names, number=95, **more):
    rule = {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": number, **more}
    return {**ALLOW, "syscalls": [rule]}


def status_of(lines):
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_errno_ret_is_what_a_refused_call_answers(stack):
    container = confine(stack.shell("mkdir /x; touch /y && echo made"), refusing(["mkdir", "mkdirat"]))
    assert container.finish() == ["made"]
    assert "not supported" in container.texts("stderr")[0]


def test_errno_ret_is_eperm_unless_said(stack):
    profile = {**ALLOW, "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    container = confine(stack.shell("mkdir /x; true"), profile)
    container.finish()
    assert "not permitted" in container.texts("stderr")[0]


def test_default_errno_ret(stack):
    names = render_default_profile(frozenset(CAPABILITIES), "x86_64")["syscalls"][0]["names"]
    rule = {"names": [*names, "clone", "socket"], "action": "SCMP_ACT_ALLOW"}
    rule["names"] = [name for name in rule["names"] if name not in ("mkdir", "mkdirat")]
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 28, "syscalls": [rule]}
    container = confine(stack.shell("mkdir /x; true"), profile)
    container.finish()
    assert "No space" in container.texts("stderr")[0]


def test_kill_process_ends_it_by_sigsys(stack):
    profile = {**ALLOW, "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]}
    container = confine(stack.container("mkdir", "/x"), profile)
    container.run()
    assert container.wait().exit_code == 128 + 31


def test_args_that_must_all_hold(stack):
    # chmod(path, mode) and fchmodat(directory, path, mode)
    rules = [
        {
            "names": [name],
            "action": "SCMP_ACT_ERRNO",
            "args": [{"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": 0o7000, "valueTwo": 0o4000}],
        }
        for name, index in (("chmod", 1), ("fchmodat", 2))
    ]
    container = confine(
        stack.shell("touch /f; chmod 755 /f && echo plain; chmod 4755 /f || echo refused"), {**ALLOW, "syscalls": rules}
    )
    assert container.finish() == ["plain", "refused"]


def test_two_words_on_one_argument_are_alternatives(stack):
    rules = [
        {
            "names": [name],
            "action": "SCMP_ACT_ERRNO",
            "args": [{"index": index, "op": "SCMP_CMP_EQ", "value": mode} for mode in (0o700, 0o711)],
        }
        for name, index in (("chmod", 1), ("fchmodat", 2))
    ]
    script = "touch /f; for mode in 700 711 755; do chmod $mode /f && echo $mode; done"
    assert confine(stack.shell(script), {**ALLOW, "syscalls": rules}).finish() == ["755"]


@pytest.mark.parametrize("no_new_privileges", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_it_is_the_last_to_come_and_leaves_the_capabilities_as_granted(stack, uid, no_new_privileges):
    """Loading wants CAP_SYS_ADMIN where noNewPrivileges is not set: that must be gone again."""
    container = stack.shell(STATUS, user={"uid": uid, "gid": uid}, noNewPrivileges=no_new_privileges)
    sets = container.config["process"]["capabilities"]
    if uid:
        sets.update(effective=[], permitted=[])
    confine(container, render_default_profile(frozenset(CAPABILITIES), "x86_64"))
    status = status_of(container.finish())
    wanted = sum(1 << capabilities.NUMBERS[name] for name in (() if uid else CAPABILITIES))
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == str(int(no_new_privileges))
    assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")] == [wanted, wanted, 0]


def test_a_filter_may_forbid_all_that_the_runtime_does_before(stack):
    """Of the runtime's own, only the execution itself happens behind the filter."""
    profile = refusing(["sendmsg", "sendto", "close_range", "setresuid", "umask", "setgroups"])
    assert confine(stack.container("echo", "here"), profile).finish() == ["here"]


def test_what_is_executed_later_is_behind_the_same_filter(stack):
    container = confine(stack.container("sleep", "60"), refusing(["mkdir", "mkdirat"]))
    container.run()
    code, text = container.output_of("sh", "-c", f"mkdir /x; {STATUS}")
    assert code == 0
    assert "not supported" in text
    assert status_of(text.splitlines())["Seccomp"] == "2"


def test_the_reaper_is_behind_it_too(stack):
    container = stack.shell("grep Seccomp: /proc/1/status", annotations={"io.orchestra.init": "true"})
    assert confine(container, refusing(["mkdir"])).finish() == ["Seccomp:\t2"]


def test_a_filter_that_is_not_compiled_prevents_the_start(stack):
    container = stack.container("true", linux={"seccomp": refusing(["mkdir"])})
    with pytest.raises(OSError, match="not in the bundle"):
        container.run()
    assert container.leftovers() == []


def test_what_is_no_filter_is_refused(stack):
    container = confine(stack.container("true"), refusing(["mkdir"]))
    Path(container.directory, "seccomp.bpf").write_bytes(b"\0" * 9)
    with pytest.raises(OSError, match=r"seccomp\.bpf"):
        container.run()


def test_flags_that_are_not_known_are_refused(stack):
    container = confine(stack.container("true"), refusing(["mkdir"]) | {"flags": ["SECCOMP_FILTER_FLAG_NONE"]})
    with pytest.raises(OSError, match=r"flags"):
        container.run()


def test_flags_are_taken(stack):
    flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
    assert confine(stack.container("echo", "here"), refusing(["mkdir"]) | {"flags": flags}).finish() == ["here"]


def test_the_default_profile_keeps_a_container_from_mounting_even_with_the_capability(stack):
    """The filter and the capability are two locks: here only the filter holds."""
    names = dict.fromkeys(("bounding", "effective", "permitted"), capabilities.NAMES)
    script = "mount -t tmpfs none /tmp; busybox unshare -m true; busybox chroot / true && echo root"
    container = stack.shell(script, capabilities=names)
    profile = render_default_profile(frozenset({"CAP_SYS_CHROOT"}), "x86_64")
    assert confine(container, profile).finish() == ["root"]
    errors = container.texts("stderr")
    assert [line.split(":")[0] for line in errors] == ["mount", "unshare"]
    assert all("permi" in line for line in errors)


def test_the_default_profile_lets_who_may_mount_mount(stack):
    names = dict.fromkeys(("bounding", "effective", "permitted"), capabilities.NAMES)
    container = stack.shell("mount -t tmpfs none /tmp && echo mounted", capabilities=names)
    profile = render_default_profile(frozenset(capabilities.NAMES), "x86_64")
    assert confine(container, profile).finish() == ["mounted"]
