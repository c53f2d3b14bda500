"""``/containers/{id}/exec`` and ``/exec/{id}``: another program in a running container."""

from __future__ import annotations

import os
import threading
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.engine_api.containers.attach import read_detach_keys, read_size
from orchestra.engine_api.containers.look import need_running
from orchestra.engine_api.errors import ApiError, bad_request, conflict
from orchestra.engine_api.exchange import MULTIPLEXED, RAW_STREAM
from orchestra.engine_api.executions import Executed
from orchestra.engine_api.frames import STDERR, STDOUT, frame
from orchestra.engine_api.relay import ExecutedProgram, relay
from orchestra.errors import OrchestraError
from orchestra.linux.readiness import readable
from orchestra.linux.syscall import SystemCallError
from orchestra.stacks.exec import ExecOptions, target_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import Found, World
    from orchestra.shim.client import Entering, Execution

PATIENCE = 60.0
"""Seconds that a program may take on its way into a container."""


def create_execution(world: World, exchange: Exchange) -> None:
    found, options = world.find(exchange.parameters["name"]), exchange.document()
    need_running(found)
    if found.is_paused:
        raise conflict(f"Container {exchange.parameters['name']} is paused, unpause the container before exec")
    command = options.get("Cmd")
    if isinstance(command, str):
        options["Cmd"] = command = [command]
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise bad_request("No exec command specified")
    read_detach_keys(options.get("DetachKeys") or "")
    executed = Executed(found.id, options)
    world.executions.add(executed)
    world.events.tell_of(found, f"exec_create: {' '.join(command)}", execID=executed.id)
    exchange.answer({"Id": executed.id}, HTTPStatus.CREATED)


def start_execution(world: World, exchange: Exchange) -> None:
    executed = world.executions.find(exchange.parameters["id"])
    asked = exchange.document()
    if executed.started:
        raise conflict(f"exec {executed.id} has been started already")
    found = world.find(executed.container)
    need_running(found)
    executed.started = True
    command = " ".join(executed.options["Cmd"])
    detached = bool(asked.get("Detach"))
    is_raw = bool(asked.get("Tty"))  # the client says how it reads, whatever the program has
    first = b"" if detached else exchange.hijack(RAW_STREAM if is_raw else MULTIPLEXED)
    with _streams(executed, detached=detached) as streams:
        try:
            execution = _execute(world, found, executed, streams, asked)
        except ApiError as error:
            if detached:
                raise
            text = f"{error.message}\r\n".encode()  # the answer has begun: clients show what comes in the stream
            exchange.connection.write(text if is_raw else frame(STDERR, text))
            return
        streams.close_theirs()
        executed.execution, executed.running = execution, True
        world.events.tell_of(found, f"exec_start: {command}", execID=executed.id)
        if detached:
            _conclude_later(world, found, executed)
            exchange.empty(HTTPStatus.OK)
            return
        try:
            render = _unframed if is_raw else frame
            note = partial(_note_end, world, found, executed, execution)
            _relay(exchange, first, executed, execution, streams, render, note)
        finally:
            if executed.running:  # the client is gone, or has left it
                _conclude_later(world, found, executed)
            else:
                execution.close()


def _execute(world: World, found: Found, executed: Executed, streams: _Streams, asked: Mapping[str, Any]) -> Execution:
    options = executed.options
    size = asked.get("ConsoleSize") or options.get("ConsoleSize")
    try:
        target = target_in(
            world.context,
            found.home,
            found.container,
            ExecOptions(
                found.container.service,
                tuple(options["Cmd"]),
                user=options.get("User") or None,
                environment=dict(entry.partition("=")[::2] for entry in options.get("Env") or ()),
                working_directory=options.get("WorkingDir") or "",
                privileged=bool(options.get("Privileged")),
                terminal=executed.terminal,
                console_size=(size[0], size[1]) if executed.terminal and size else None,
            ),
        )
        return target.execute(streams.theirs, _until_begun, tied=False)
    except OrchestraError as error:
        executed.exit_code = error.exit_code
        message = error.message.replace("No such file or directory", "no such file or directory")
        raise bad_request(f"OCI runtime exec failed: exec failed: {message}") from error


def _until_begun(entering: Entering) -> None:
    if not readable(entering.fileno(), PATIENCE):
        raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "the program does not get into the container")


def _unframed(_stream: int, data: bytes) -> bytes:
    return data


def _relay(
    exchange: Exchange,
    first: bytes,
    executed: Executed,
    execution: Execution,
    streams: _Streams,
    render: Callable[[int, bytes], bytes],
    conclude: Callable[[], None],
) -> None:
    takes_input = bool(executed.options.get("AttachStdin"))
    client = exchange.connection.socket
    if executed.terminal:
        os.set_blocking(execution.terminal, False)
        program = ExecutedProgram(execution, {STDOUT: execution.terminal}, execution.terminal)
        keys = read_detach_keys(executed.options.get("DetachKeys") or "")
        relay(client, first, program, render, takes_input=takes_input, keys=keys, conclude=conclude)
        return
    program = ExecutedProgram(execution, dict(streams.outputs), streams.take_input())
    if not takes_input:
        program.end_input()
    try:
        relay(client, first, program, render, takes_input=takes_input, conclude=conclude)
    finally:
        program.close()


def _conclude_later(world: World, found: Found, executed: Executed) -> None:
    threading.Thread(target=_conclude, args=(world, found, executed), name="exec", daemon=True).start()


def _conclude(world: World, found: Found, executed: Executed) -> None:
    execution = executed.execution
    assert execution is not None
    _note_end(world, found, executed, execution)
    execution.close()


def _note_end(world: World, found: Found, executed: Executed, execution: Execution) -> None:
    """Wait for it."""
    try:
        executed.exit_code = execution.wait()
    except (OSError, SystemCallError):
        executed.exit_code = None  # its stack was killed, and the code is lost
    executed.running, executed.execution = False, None
    world.events.tell_of(found, "exec_die", execID=executed.id, exitCode=str(executed.exit_code))


class _Streams:
    """Pipes of one execution. theirs: standard input, output and error of the program; outputs: our ends by stream."""

    def __init__(self, theirs: list[int], outputs: dict[int, int], stdin: int) -> None:
        self.theirs, self.outputs, self._stdin = theirs, outputs, stdin

    def close_theirs(self) -> None:
        while self.theirs:
            os.close(self.theirs.pop())

    def take_input(self) -> int:
        """Our end of standard input, which is the caller's from now on."""
        fd, self._stdin = self._stdin, -1
        return fd

    def __enter__(self) -> _Streams:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close_theirs()
        for fd in (*self.outputs.values(), self._stdin):
            if fd >= 0:
                os.close(fd)


def _streams(executed: Executed, *, detached: bool) -> _Streams:
    """None for a terminal, which comes with the execution."""
    if executed.terminal:
        return _Streams([], {}, -1)
    if detached:
        return _Streams([os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) for _ in range(3)], {}, -1)
    (stdin, ours), (out, stdout), (error, stderr) = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
    for fd in (ours, out, error):
        os.set_blocking(fd, False)
    return _Streams([stdin, stdout, stderr], {STDOUT: out, STDERR: error}, ours)


def inspect_execution(world: World, exchange: Exchange) -> None:
    executed = world.executions.find(exchange.parameters["id"])
    options, execution = executed.options, executed.execution
    program, *arguments = options["Cmd"]
    exchange.answer(
        {
            "ID": executed.id,
            "Running": executed.running,
            "ExitCode": executed.exit_code,
            "ProcessConfig": {
                "tty": executed.terminal,
                "entrypoint": program,
                "arguments": arguments,
                "privileged": bool(options.get("Privileged")),
                "user": options.get("User") or "",
            },
            "OpenStdin": bool(options.get("AttachStdin")),
            "OpenStdout": bool(options.get("AttachStdout")),
            "OpenStderr": bool(options.get("AttachStderr")),
            "CanRemove": not executed.running,
            "ContainerID": executed.container,
            "DetachKeys": options.get("DetachKeys") or "",
            "Pid": execution.pid if execution else 0,
        }
    )


def resize_execution(world: World, exchange: Exchange) -> None:
    executed, size = world.executions.find(exchange.parameters["id"]), read_size(exchange)
    execution = executed.execution
    if execution is None:
        raise conflict(f"exec {executed.id} is not running")
    if executed.terminal:
        execution.resize(size.rows, size.columns)
    exchange.empty(HTTPStatus.OK)
