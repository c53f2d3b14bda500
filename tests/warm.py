"""Commands of Orchestra in processes that are forked from one in which all of it is imported.

Interpreters and imports are most of what a command, a fork server and a supervisor cost, and the tests begin thousands
of them. ``tests.cli.test_imports``, ``tests/docs``, ``tests/test_wheel.py`` and tests that ask for it execute the
program itself.

``python -P warm.py``, standard input a socket: a request for each command, with the descriptors it gets.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MOST = 1 << 20
"""Bytes of a request: an environment and a command line."""
HUGE, MADV_COLLAPSE = 1 << 21, 25
"""Bytes of a huge page; since Linux 6.1."""
AS_IT_IS = frozenset({"stdin", "stdout", "stderr", "env", "cwd", "text", "start_new_session", "bufsize", "encoding"})
"""Options of ``subprocess.Popen`` that a forked command knows."""
OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "LD_", "COVERAGE")
"""Prefixes of the variables that it has read before any code of ours."""


class Zygote:
    """For the process that calls: it begins with the first command, and ends with that process."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
        # With memory for what the command line and the environment of a command are to be in /proc.
        command = [sys.executable, "-P", __file__, " " * 4096]
        self._process = subprocess.Popen(command, stdin=theirs, cwd="/", env=os.environ | {"SPACE": " " * 8192})
        theirs.close()

    def fork(self, request: dict[str, object], descriptors: list[int]) -> socket.socket:
        """What reads the pid, and at its end the status, of the command; descriptors: its standard streams."""
        told, tell = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        network = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            given = [*descriptors, network, tell.fileno()]
            socket.send_fds(self._ours, [json.dumps(request).encode()], given)
        finally:
            os.close(network)
            tell.close()
        return told

    def end(self) -> None:
        self._ours.close()
        self._process.wait()


class Forked(subprocess.Popen):
    """As ``subprocess.Popen``, whose child is another process's: it tells how it ended."""

    zygote: Zygote | None = None
    beginning = threading.Lock()

    def __init__(self, module: str, arguments: list[str], start_new_session: bool = False, **options) -> None:
        self._module, self._session = module, start_new_session
        super().__init__(arguments, **options)

    def _execute_child(self, args, _executable, _preexec, _close, _pass, cwd, env, *rest) -> None:
        pipes = rest[3:9]
        read, _, _, write, _, errors = pipes
        with Forked.beginning:
            Forked.zygote = Forked.zygote or Zygote()
        request = {
            "module": self._module,
            "arguments": [os.fspath(word) for word in args],
            "directory": os.path.abspath(cwd or os.getcwd()),
            "environment": dict(os.environ if env is None else env),
            "session": self._session,
        }
        streams = [own if end < 0 else end for own, end in enumerate((read, write, errors))]
        self._told = Forked.zygote.fork(request, streams)
        self.pid = int(self._told.recv(64))
        self._child_created = True
        self._close_pipe_fds(*pipes)

    def _try_wait(self, wait_flags):
        """As waitpid(2)."""
        if wait_flags & os.WNOHANG and not select.select([self._told], [], [], 0)[0]:
            return 0, 0
        status = int(self._told.recv(64) or 127 << 8)
        self._told.close()
        return self.pid, status

    def _internal_poll(self, _deadstate=None, *_):
        if self.returncode is None and self._waitpid_lock.acquire(False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid == self.pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def end() -> None:
    """When no command is to come."""
    if Forked.zygote:
        Forked.zygote.end()
        Forked.zygote = None


def popen(arguments: list[str], module: str = "orchestra", **options) -> subprocess.Popen:
    """``python -m`` module with these arguments: forked, if a forked one is the same as an executed one."""
    environment = options.get("env") or os.environ
    if options.keys() <= AS_IT_IS and _of_the_interpreter(environment) == _of_the_interpreter(os.environ):
        return Forked(module, arguments, **options)
    return subprocess.Popen([sys.executable, "-m", module, *arguments], **options)


def run(
    arguments: list[str], module: str = "orchestra", *, timeout: float = 60, **options
) -> subprocess.CompletedProcess[str]:
    """The command, to its end, with text, and without standard input unless that is given.

    What does not end in time is killed, and raises ``subprocess.TimeoutExpired``.
    """
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with popen(arguments, module, **(pipes | options)) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _of_the_interpreter(environment) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(OF_THE_INTERPRETER)}


class Request(NamedTuple):
    module: str
    arguments: list[str]
    directory: str
    environment: dict[str, str]
    session: bool


def serve(requests: socket.socket) -> str:
    """Returns the module in the child, which is the command. The process itself ends with the one that began it."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, reader], [], [])
        if reader in ready:
            os.read(reader, 4096)
            while (ended := _ended()) is not None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError), running.pop(ended[0]) as tell:
                    tell.send(b"%d" % ended[1])
        if requests in ready:
            data, given, _, _ = socket.recv_fds(requests, MOST, 8)
            if not data:
                os._exit(0)
            if not (pid := os.fork()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                request = Request(**json.loads(data))
                become(request, given[:3], given[3])
                return request.module
            running[pid] = socket.socket(fileno=given[4])
            running[pid].send(b"%d" % pid)
            for descriptor in given[:4]:
                os.close(descriptor)


def _ended() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def become(request: Request, streams: list[int], network: int) -> None:
    """All that a new process gets from the one that executes it."""
    from orchestra.linux import namespaces

    if not os.path.samestat(os.fstat(network), os.stat("/proc/self/ns/net")):
        namespaces.setns(network, namespaces.CLONE_NEWNET)
    high = [os.dup2(end, 1000 + number) for number, end in enumerate(streams)]
    for number, end in enumerate(high):
        os.dup2(end, number)
    os.closerange(3, 1 << 20)
    renew_streams()
    if request.session:
        os.setsid()
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv[:] = [str(sys.modules[f"{request.module}.__main__"].__file__), *request.arguments]
    show([sys.executable, "-m", request.module, *request.arguments], request.environment)


def show(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """What /proc shows of this process is what it would show if it had been executed so, and NULs after it.

    Source: proc_pid_stat(5), arg_start to env_end.
    """
    bounds = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:49]
    start, middle, variables, end = map(int, bounds)
    for place, size, words in (
        (start, middle - start, command),
        (variables, end - variables, [f"{name}={value}" for name, value in environment.items()]),
    ):
        text = b"".join(os.fsencode(word) + b"\0" for word in words)
        ctypes.memmove(place, text[:size].ljust(size, b"\0"), size)


UNUSED: list[object] = []
"""What must not be ended: streams of the process that was forked would write what is in their buffers."""


def renew_streams() -> None:
    UNUSED.extend([sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__])
    sys.stdin = sys.__stdin__ = _stream(0, "r", "strict")
    sys.stdout = sys.__stdout__ = _stream(1, "w", "strict")
    sys.stderr = sys.__stderr__ = _stream(2, "w", "backslashreplace")


def _stream(number: int, mode: str, errors: str):
    lines = number == 2 or os.isatty(number)
    return open(number, mode, 1 if lines else -1, encoding="utf-8", errors=errors, closefd=False)


def spawn_forked(execute: Callable[..., int]) -> Callable[..., int]:
    """In place of ``os.posix_spawn``: the fork server that a command starts is forked, as it finds all imported.

    It forks later supervisors too, as it does the first: no file of the program has changed.
    One that a supervisor starts is executed: there other threads may hold locks, which stay held in a fork.
    """
    from orchestra.shim import __main__ as program
    from orchestra.shim import supervision

    def spawn(path, argv, environment, **options) -> int:
        if argv[1:4] != ["-I", "-S", program.__file__]:
            return execute(path, argv, environment, **options)
        pid = os.fork()
        if not pid:
            os.posix_spawn, supervision.execute = execute, supervision.fork
            contextvars.Context().run(_run, program.main, argv, environment, **options)
        return pid

    return spawn


def _run(main, argv, environment, file_actions, setsid, setsigdef) -> NoReturn:
    """As posix_spawn(3) begins a process."""
    os.setsid() if setsid else None
    for number in setsigdef:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as the interpreter does
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for kind, number, *rest in file_actions:
        if kind == os.POSIX_SPAWN_OPEN:
            opened = os.open(*rest)
            os.dup2(opened, number)
            os.close(opened) if opened != number else None
        else:
            os.dup2(number, *rest)
    renew_streams()
    sys.argv[:] = argv[3:]
    show(argv, environment)
    run_to_end(main)


def run_to_end(body: Callable[[], object]) -> NoReturn:
    """Run it as the interpreter does, and exit without taking apart what is imported, which takes longer than that."""
    code = 0
    try:
        body()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        if code and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def import_all() -> None:
    import orchestra

    for module in pkgutil.walk_packages(orchestra.__path__, "orchestra."):
        if not module.name.endswith(".__main__") and ".schema.json" not in module.name:
            importlib.import_module(module.name)


SAMPLE = """
services:
  web:
    image: app
    depends_on: [job]
    healthcheck: {test: [CMD, "true"], interval: 1s}
    ports: ["80"]
    volumes: ["data:/data"]
  job: {image: app, command: [sleep, infinity]}
volumes: {data: {}}
"""


def prepare() -> None:
    """What every command and every supervisor does once: import what is imported late, look at types, compile filters.

    The interpreter also adapts itself to code that has run; what it writes for that is shared by all that are forked.
    """
    from orchestra.compose import LoadRequest, load
    from orchestra.driver.local.bundle.capability import DEFAULT
    from orchestra.driver.local.bundle.seccomp import render_default_profile
    from orchestra.driver.local.confinement import compile_filter
    from orchestra.linux.security import libseccomp
    from orchestra.model import codec

    if libseccomp.is_installed():
        compile_filter(render_default_profile(frozenset(DEFAULT), os.uname().machine))
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, "compose.yaml")
        file.write_text(SAMPLE)
        loaded = load(LoadRequest(environment={}, working_directory=home, files=(str(file),), project_name="rehearsal"))
        rehearse(home, json.dumps(codec.encode(loaded.desired)).encode())


def rehearse(home: str, desired: bytes) -> None:
    """Bring a stack up and down in a world that is not real, with a supervisor and a client in this process."""
    import anyio
    import anyio.to_thread

    from orchestra.control.client import Client
    from orchestra.control.host import Host
    from orchestra.driver import open_driver
    from orchestra.home import Home
    from orchestra.linux import unix_socket
    from orchestra.model.request import Changes, DownRequest, UpRequest
    from orchestra.model.result import DownResult, UpResult

    place = Home(f"{home}/data", f"{home}/run")
    here = place.stack("rehearsal")
    for path in (here.run, here.data):
        os.makedirs(path)

    async def supervise(control: socket.socket) -> None:
        """One that finds nothing to do ends, and is started again when a client connects."""
        driver = open_driver("fake", place, here.name)
        while True:
            await anyio.wait_readable(control)
            with control.dup() as listening:
                await Host(here, driver, driver_name="fake").run(listening)

    async def live() -> None:
        with unix_socket.listen(here.control_socket) as control:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(supervise, control)
                await anyio.to_thread.run_sync(ask)
                tasks.cancel_scope.cancel()

    def ask() -> None:
        client = Client(here, "fake")
        client.ask(UpResult, UpRequest(Changes()), desired=desired)
        client.ask(DownResult, DownRequest())

    anyio.run(live)


def collapse() -> None:
    """Into huge pages, as far as the kernel can: a fork copies one entry for each, and not those of 512 pages.

    Source: madvise(2), MADV_COLLAPSE; proc_pid_maps(5).
    """
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text().splitlines():
        bounds, rights, _offset, _device, inode, *_name = line.split()
        if rights == "rw-p" and inode == "0":
            start, end = (int(bound, 16) // HUGE for bound in bounds.split("-"))
            for number in range(start + 1, end):
                madvise(number * HUGE, HUGE, MADV_COLLAPSE)


def main() -> None:
    import_all()
    prepare()
    programs = {name: importlib.import_module(f"{name}.__main__").main for name in ("orchestra", "orchestra.oci_cli")}
    os.posix_spawn = spawn_forked(os.posix_spawn)
    gc.collect()
    gc.freeze()
    collapse()
    with socket.socket(fileno=0) as requests:
        module = serve(requests)
        requests.detach()
    run_to_end(lambda: sys.exit(programs[module]()))


if __name__ == "__main__":
    main()
