"""Compiled filters, tried on system calls in forked processes; the head in front of libseccomp's program."""

from __future__ import annotations

import os
from errno import EINVAL, ENOSYS, EPERM

import pytest

from orchestra.linux import process
from orchestra.linux.security import libseccomp, seccomp
from orchestra.linux.security.libseccomp import NEWER, compile_profile
from orchestra.linux.syscall import raw
from tests.forking import fork

pytestmark = pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")

UNUSED = 999_999
RUNTIME = ("write", "exit", "exit_group", "futex", "mmap", "munmap", "brk", "rt_sigprocmask", "gettid", "getpid")


def errno_of(number, profile, *arguments):
    """What a system call answers behind the filter: its errno, 0 for success."""
    program = compile_profile(profile)
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        import ctypes

        process.prctl(process.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.load(seccomp.Filter(program))
        result = raw(number, *arguments)
        os.write(writer, str(ctypes.get_errno() if result == -1 else 0).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    _pid, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return int(text)


def allowing(*names, **more):
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "syscalls": [{"names": [*RUNTIME, *names], "action": "SCMP_ACT_ALLOW"}],
        **more,
    }


COMPAT = {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]}


@pytest.mark.parametrize("more", [{}, COMPAT], ids=["native", "compat"])
def test_an_unknown_call_fails_with_enosys_rather_than_eperm(more):
    assert errno_of(UNUSED, allowing(**more)) == ENOSYS
    assert errno_of(NEWER["mseal"] + 1, allowing("mseal", **more)) == ENOSYS


@pytest.mark.parametrize("more", [{}, COMPAT], ids=["native", "compat"])
def test_a_call_no_newer_than_what_the_profile_names_is_forbidden(more):
    assert errno_of(NEWER["mseal"], allowing("setxattrat", **more)) == EPERM
    assert errno_of(NEWER["mseal"], allowing(**more)) == ENOSYS


def test_a_call_that_a_profile_refuses_by_name_is_forbidden():
    profile = allowing()
    profile["syscalls"].append({"names": ["file_setattr"], "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM})
    assert errno_of(NEWER["file_setattr"], profile) == EPERM


@pytest.mark.parametrize("more", [{}, COMPAT], ids=["native", "compat"])
def test_a_call_newer_than_the_library_is_allowed_by_name(more):
    assert errno_of(NEWER["mseal"], allowing("mseal", **more), 1, 1, 1) in (EINVAL, ENOSYS)


def test_what_the_profile_allows_in_general_stays_allowed_when_it_is_new():
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    assert len(compile_profile(profile)) < 200
    assert errno_of(UNUSED, profile) == ENOSYS  # the kernel's own


def test_names_that_no_architecture_has_are_passed_over():
    assert errno_of(NEWER["mseal"], allowing("no_such_call", "setxattrat")) == EPERM


@pytest.mark.parametrize(
    ("profile", "where"),
    [
        ({}, "action"),
        ({"defaultAction": "SCMP_ACT_SHRUG"}, "SCMP_ACT_SHRUG"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]}, "SCMP_ARCH_Z80"),
        (allowing() | {"syscalls": [{"names": ["read"], "action": "SCMP_ACT_PERHAPS"}]}, "SCMP_ACT_PERHAPS"),
        (
            allowing()
            | {"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "IS"}]}]},
            "IS",
        ),
    ],
)
def test_what_is_no_profile_is_refused_by_name(profile, where):
    with pytest.raises(OSError, match=where):
        compile_profile(profile)


def test_a_missing_library_is_said(monkeypatch):
    monkeypatch.setattr(libseccomp, "_library", lambda: None)
    assert not libseccomp.is_installed()
    assert libseccomp.version() == ""
    with pytest.raises(OSError, match="libseccomp2"):
        compile_profile(allowing())
