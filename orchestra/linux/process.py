"""Processes: prctl(2), identity by pid and start time, pidfds, exit codes, signals and resource limits by name."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import struct
import sys
import time
from errno import EINVAL, ENOTTY, EPERM, ESRCH

from orchestra.linux import whole_files
from orchestra.linux.readiness import readable
from orchestra.linux.syscall import (
    SYS_CLONE3,
    SYS_CLOSE_RANGE,
    SystemCallError,
    c_char_p,
    c_int,
    c_uint,
    c_ulong,
    c_void_p,
    check,
    declare,
    declare_number,
    libc,
)
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

M_ARENA_MAX = -8  # malloc.h

CLONE_PARENT = 0x00008000
CLONE_INTO_CGROUP = 0x200000000

# personality(2): linux.personality.domain of an OCI config.
PERSONALITIES = {"LINUX": 0x0000, "LINUX32": 0x0008}

CHANGED_SIGNALS = tuple(int(number) for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT))
SET_MASK = int(signal.SIG_SETMASK)
NO_SIGNALS = bytes(128)  # sigset_t of glibc
SIG_DFL = 0

BUILT_IN_FINDERS = ("BuiltinImporter", "FrozenImporter")

CLOSE_RANGE_CLOEXEC = 4
LAST_FD = 0x7FFFFFFF

# linux/pidfd.h: struct pidfd_info, Linux 6.13; with the exit status since 6.15.
PIDFD_GET_INFO = 0xC040FF0B
PIDFD_INFO_EXIT = 1 << 3
PIDFD_INFO_SIZE = 64
PIDFD_INFO_EXIT_CODE_OFFSET = 60

# Unlike libc's, calls through this keep the interpreter's lock: it must be held in a forked child.
_python = ctypes.PyDLL(None, use_errno=True)
_personality = declare("personality", c_ulong)
_setdomainname = declare("setdomainname", c_char_p, c_ulong)
_signal = declare("signal", c_int, c_void_p)
_sigprocmask = declare("sigprocmask", c_int, c_char_p, c_void_p)
_prctl = declare("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_set_name = libc["prctl"]  # another object, with types of its own
_set_name.argtypes = (c_int, c_char_p, c_ulong, c_ulong, c_ulong)
_close_range = declare_number(SYS_CLOSE_RANGE, c_uint, c_uint, c_int)


class Process(NamedTuple):
    """The lasting identity of a process. start_time: field 22 of /proc/PID/stat, in clock ticks since boot."""

    pid: int
    start_time: int


def booted_at() -> float:
    """When this machine was started, in Unix seconds."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The same from one start of this machine to the next: random(4)."""
    return whole_files.read("/proc/sys/kernel/random/boot_id").decode().strip()


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    check(_prctl(option, first, second, 0, 0), "prctl", f"option {option}")


def share_one_heap() -> None:
    """Have all threads allocate from one heap. Otherwise the C library gives each of them one of its own, of which much
    stays unused, while only one at a time runs Python anyway (mallopt(3)).
    """
    mallopt = getattr(libc, "mallopt", None)  # musl has only one heap, and no such function
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def set_name(name: str) -> None:
    """Set the name that ps(1) shows, at most 15 bytes."""
    check(_set_name(PR_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl", name)


def set_domain_name(name: str) -> None:
    """Set the NIS domain name of this UTS namespace, which ``domainname`` prints. It is not a DNS domain."""
    check(_setdomainname(name.encode(), len(name.encode())), "setdomainname", name)


def set_personality(domain: str) -> None:
    """domain: a word of the OCI runtime spec, config-linux, "Personality". It survives fork(2) and execve(2)."""
    if domain not in PERSONALITIES:
        raise SystemCallError(EINVAL, "config", "linux.personality.domain", f"{domain} is not known")
    check(_personality(PERSONALITIES[domain]), "personality", domain)


def hide_origin(title: str) -> None:
    """Show ``title`` as the command line, and no environment, to all readers of /proc/PID/cmdline and environ.

    It overwrites the memory that they show; ``os.environ`` stays. A child starts with what its parent shows. Needs the
    machine's procfs at /proc. Source: proc_pid_stat(5), arg_start to env_end.
    """
    arguments, arguments_end, environment, environment_end = _origin()
    _show_title(title, arguments, arguments_end)
    ctypes.memset(environment, 0, environment_end - environment)


@contextlib.contextmanager
def shown_as(title: str) -> Iterator[None]:
    """Show ``title`` as the command line meanwhile: children forked in this context show it from their birth."""
    arguments, arguments_end, _environment, _end = _origin()
    before = ctypes.string_at(arguments, arguments_end - arguments)
    _show_title(title, arguments, arguments_end)
    try:
        yield
    finally:
        ctypes.memmove(arguments, before, len(before))


def _origin() -> tuple[int, int, int, int]:
    """The bounds of the command line and the environment in memory."""
    arguments, arguments_end, environment, environment_end = map(int, _stat_fields("self")[45:49])
    return arguments, arguments_end, environment, environment_end


def _show_title(title: str, arguments: int, arguments_end: int) -> None:
    text = title.encode()[: arguments_end - arguments - 2] + b"\0"
    ctypes.memmove(arguments, text, len(text))
    # Without a NUL in the last place the kernel takes this for a title that ends at its first NUL.
    ctypes.memset(arguments_end - 1, ord(" "), 1)


def become_subreaper() -> None:
    """Orphaned descendants become children of this process instead of the machine's init."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def forbid_imports() -> None:
    """Import no more modules from files: after the root has changed, such a file would be a container's.

    Modules that are loaded stay usable, as do those built into the interpreter.
    """
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") in BUILT_IN_FINDERS]
    sys.path.clear()


def close_on_exec_from(lowest: int) -> None:
    check(_close_range(lowest, LAST_FD, CLOSE_RANGE_CLOEXEC), "close_range")


def close_all_except(kept: list[int]) -> None:
    """Close every descriptor from 3 up that is not in ``kept``."""
    lowest = 3
    for fd in sorted(fd for fd in set(kept) if fd >= 3):
        if fd > lowest:
            check(_close_range(lowest, fd - 1, 0), "close_range")
        lowest = fd + 1
    check(_close_range(lowest, LAST_FD, 0), "close_range")


class _CloneArgs(ctypes.Structure):
    """struct clone_args of linux/sched.h."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    )


def fork_into_cgroup(cgroup: int) -> int:
    """os.fork, with the child born in the cgroup (version 2) whose directory ``cgroup`` refers to."""
    return _clone(_CloneArgs(flags=CLONE_INTO_CGROUP, exit_signal=signal.SIGCHLD, cgroup=cgroup), "CLONE_INTO_CGROUP")


def fork_sibling(flags: int, cgroup: int = -1) -> int:
    """os.fork, with the new process a child of our parent instead of ours, and with new namespaces as ``flags`` say.

    cgroup: a descriptor of the directory of the cgroup (version 2) that it is born in, or -1.
    """
    if cgroup < 0:
        return _clone(_CloneArgs(flags=CLONE_PARENT | flags), "CLONE_PARENT")
    return _clone(_CloneArgs(flags=CLONE_PARENT | CLONE_INTO_CGROUP | flags, cgroup=cgroup), "CLONE_PARENT")


def _clone(arguments: _CloneArgs, about: str) -> int:
    """clone3(2) bypasses glibc's fork, so the interpreter is told as in os.fork: PyOS_BeforeFork and the two functions
    for afterwards are part of its stable C interface. Only for a process with one thread.
    """
    size = ctypes.c_size_t(ctypes.sizeof(arguments))
    _python.PyOS_BeforeFork()
    pid = int(_python.syscall(ctypes.c_long(SYS_CLONE3), ctypes.byref(arguments), size))
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    number = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise SystemCallError(number or EINVAL, "clone3", about)
    return pid


def load_stat(pid: int | str) -> tuple[bytes, list[bytes]]:
    """The name in /proc/PID/stat, which may contain spaces and brackets, and the fields from the third on.

    Raises FileNotFoundError or ProcessLookupError if there is no such process.
    """
    fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        name, _, fields = os.read(fd, 4096).partition(b"(")[2].rpartition(b") ")
    finally:
        os.close(fd)
    return name, fields.split()


def _stat_fields(pid: int | str) -> list[bytes]:
    return load_stat(pid)[1]


def start_time(pid: int) -> int:
    """Raises FileNotFoundError or ProcessLookupError if there is no such process."""
    return int(_stat_fields(pid)[19])


def parent(pid: int) -> int:
    return int(_stat_fields(pid)[1])


def identify(pid: int) -> Process:
    return Process(pid, start_time(pid))


def is_alive(process: Process) -> bool:
    """Whether exactly this process exists and has not ended. A zombie has ended."""
    try:
        fields = _stat_fields(process.pid)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[19]) == process.start_time and fields[0] not in (b"Z", b"X")


def is_stopped(pid: int) -> bool:
    """Whether a signal or a tracer has stopped it (proc_pid_stat(5), states T and t). False if it is gone."""
    try:
        return _stat_fields(pid)[0] in (b"T", b"t")
    except (FileNotFoundError, ProcessLookupError):
        return False


def open_pidfd(process: Process) -> int:
    """A pidfd of exactly this process. ProcessLookupError if it is gone or its pid is in use again."""
    fd = os.pidfd_open(process.pid)
    try:
        # Read after opening: while the descriptor pins the process, its pid cannot be reused unnoticed.
        if start_time(process.pid) == process.start_time:
            return fd
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    raise _gone(process)


def _gone(process: Process) -> ProcessLookupError:
    return ProcessLookupError(ESRCH, os.strerror(ESRCH), f"pid {process.pid}")


def send_signal(process: Process, number: int) -> None:
    """ProcessLookupError if it has ended, even if it has not been reaped yet."""
    fd = open_pidfd(process)
    try:
        if not is_alive(process):
            raise _gone(process)
        signal.pidfd_send_signal(fd, number)
    finally:
        os.close(fd)


def kill_and_wait(process: Process) -> None:
    """Return when it has ended, which it may have before. PermissionError if it is another user's."""
    with contextlib.suppress(ProcessLookupError):
        fd = open_pidfd(process)
        try:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            readable(fd)
        finally:
            os.close(fd)


def exit_code(status: int) -> int:
    """The shell's convention for a wait status: 128 plus the number of the signal that ended it."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def foreign_exit_code(process: Process, pidfd: int) -> int | None:
    """The exit code of an ended process that is not our child; None if this kernel does not tell.

    A zombie shows its status in field 52 of /proc/PID/stat (proc(5)) to processes that may trace it. Once it has been
    reaped, the pidfd knows (ioctl PIDFD_GET_INFO, Linux 6.15). Waits for that, but no longer than a second.
    """
    try:
        fields = _stat_fields(process.pid)
        if int(fields[19]) == process.start_time and fields[0] == b"Z":
            return exit_code(int(fields[49]))
    except (FileNotFoundError, ProcessLookupError):
        pass
    poll = select.poll()
    poll.register(pidfd, 0)
    poll.poll(1000)
    info = bytearray(PIDFD_INFO_SIZE)
    struct.pack_into("=Q", info, 0, PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, PIDFD_GET_INFO, info)
    except OSError as error:
        if error.errno in (ENOTTY, EINVAL, ESRCH):
            return None
        raise
    (mask,) = struct.unpack_from("=Q", info, 0)
    if not mask & PIDFD_INFO_EXIT:
        return None
    (status,) = struct.unpack_from("=i", info, PIDFD_INFO_EXIT_CODE_OFFSET)
    return exit_code(status)


def restore_signals() -> None:
    """Before executing a program: restore the defaults that the interpreter changed, and block no signals."""
    signal.set_wakeup_fd(-1)
    # Without the module ``signal``: its enums alone are a hundred pages for a forked process to copy.
    for number in CHANGED_SIGNALS:
        _signal(number, SIG_DFL)
    check(_sigprocmask(SET_MASK, NO_SIGNALS, None), "sigprocmask")


def parse_signal(name: str) -> int:
    """``SIGTERM``, ``term``, ``15``, ``SIGRTMIN+3``. ValueError if there is no such signal."""
    text = name.strip().upper()
    if text.isdigit():
        number = int(text)
        if 0 < number < signal.NSIG:
            return number
    text = text.removeprefix("SIG")
    base, sign, offset = text.partition("+")
    if not sign:
        base, sign, offset = text.partition("-")
    found = getattr(signal, f"SIG{base}", None)
    if isinstance(found, signal.Signals) and not sign:
        return found.value
    if isinstance(found, signal.Signals) and base in ("RTMIN", "RTMAX") and offset.isdigit():
        number = found.value + int(f"{sign}{offset}")
        if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
            return number
    raise ValueError(f"no such signal: {name}")


def raise_hard_limit(name: str, hard: int) -> None:
    """Raise only the hard limit, as far as that is permitted: see ``set_rlimit``."""
    number = getattr(resource, name, None)
    if number is None:
        return
    now = resource.getrlimit(number)
    if now[1] != resource.RLIM_INFINITY and hard > now[1]:
        with contextlib.suppress(OSError):
            set_rlimit(name, now[0], hard)


def set_rlimit(name: str, soft: int, hard: int) -> None:
    """name: as in the OCI spec, ``RLIMIT_NOFILE``. Numbers of 2**63 and more mean no limit."""
    number = getattr(resource, name, None)
    if number is None:
        raise SystemCallError(EINVAL, "setrlimit", name)
    limits = tuple(resource.RLIM_INFINITY if value >= 1 << 63 or value < 0 else value for value in (soft, hard))
    try:
        resource.setrlimit(number, (limits[0], limits[1]))
    except ValueError as error:
        # The interpreter raises one exception for EPERM and EINVAL; only the text tells them apart.
        if "not allowed" in str(error):
            raise SystemCallError(EPERM, "setrlimit", name, "raising a hard limit needs CAP_SYS_RESOURCE") from error
        raise SystemCallError(EINVAL, "setrlimit", name, str(error)) from error
    except OSError as error:
        raise SystemCallError(error.errno or EINVAL, "setrlimit", name) from error
