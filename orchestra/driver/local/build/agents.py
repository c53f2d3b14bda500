"""SSH agents that builds are lent: by a socket whose mode and owner the Dockerfile says, or from keys in files."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING

from orchestra.errors import EnvironmentLack, FatalError, UserError
from orchestra.linux.readiness import first_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Pairs = dict[int, tuple[socket.socket, socket.socket]]

CHUNK = 1 << 16
SECONDS = 30


@contextlib.contextmanager
def lent_agent(agent: str, path: str, mode: int, owner: tuple[int, int]) -> Iterator[None]:
    """While this is open, connections to the socket ``path`` lead to the agent. Raises UserError or FatalError.

    The agent's own socket belongs to its user, and commands of a build often run as another one.
    """
    try:
        if not stat.S_ISSOCK(os.stat(agent).st_mode):
            raise UserError(f"{agent} is not the socket of an SSH agent")
    except OSError as error:
        raise FatalError(str(error)) from error
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket is short (unix(7)); that of a build's directory need not be.
        directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            server.bind(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        finally:
            os.close(directory)
        os.chown(path, *owner)
        os.chmod(path, mode)
        server.listen()
        ended, end = os.pipe2(os.O_CLOEXEC)
        thread = threading.Thread(target=_serve, args=(server, agent, ended), name="agent", daemon=True)
        thread.start()
        try:
            yield
        finally:
            os.close(end)
            thread.join()
            os.close(ended)
            os.unlink(path)


def _serve(server: socket.socket, agent: str, ended: int) -> None:
    """Pass bytes on until ``ended`` is closed at its other end. Programs other than ssh(1) hold several connections."""
    pairs: Pairs = {}
    with contextlib.ExitStack() as stack:
        while ended not in (ready := first_readable([server.fileno(), ended, *pairs])):
            for fd in ready:
                if fd == server.fileno():
                    _accept(server, agent, pairs, stack)
                elif fd in pairs and not _pass_on(*pairs[fd]):
                    for each in pairs[fd]:
                        pairs.pop(each.fileno(), None)
                        each.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, agent: str, pairs: Pairs, stack: contextlib.ExitStack) -> None:
    asking, _ = server.accept()
    stack.enter_context(asking)
    answering = stack.enter_context(socket.socket(socket.AF_UNIX))
    try:
        answering.connect(agent)
    except OSError:
        asking.shutdown(socket.SHUT_RDWR)
        return
    pairs[asking.fileno()] = asking, answering
    pairs[answering.fileno()] = answering, asking


def _pass_on(source: socket.socket, target: socket.socket) -> bool:
    """Whether there was anything."""
    try:
        data = source.recv(CHUNK)
        target.sendall(data)
    except OSError:
        return False
    return bool(data)


@contextlib.contextmanager
def agent_of_keys(identifier: str, files: Sequence[str]) -> Iterator[str]:
    """The socket of an ssh-agent(1) that has these keys, and ends with the context or soon after this process.

    Raises UserError or EnvironmentLack.
    """
    with tempfile.TemporaryDirectory(prefix="orchestra-ssh-") as directory:
        path = f"{directory}/agent"
        # The agent ends when the process that it was started for does, which reads until we close its input.
        command = ["ssh-agent", "-a", path, "sh", "-c", "echo $SSH_AGENT_PID; exec cat"]
        try:
            keeper = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        except FileNotFoundError:
            hint = "install it (Debian: openssh-client), or give the socket of an agent"
            raise EnvironmentLack(f"--ssh {identifier}: ssh-agent is not installed", hint=hint) from None
        with keeper:
            assert keeper.stdin is not None
            assert keeper.stdout is not None
            number = keeper.stdout.readline().strip()
            if not number:
                raise EnvironmentLack(f"--ssh {identifier}: ssh-agent does not start", hint="try: ssh-agent true")
            agent = int(number)
            try:
                for file in files:
                    _add_key(identifier, file, path)
                yield path
            finally:
                # A child of the keeper, which never waits for it: the number is still its own.
                os.kill(agent, signal.SIGTERM)
                keeper.stdin.close()


def _add_key(identifier: str, file: str, path: str) -> None:
    try:
        done = subprocess.run(
            ["ssh-add", "-q", "--", file],
            env={**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS_REQUIRE": "never"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        hint = "is it a file, and not a pipe?"
        raise EnvironmentLack(f"--ssh {identifier}: {file}: ssh-add takes longer than {SECONDS} s", hint=hint) from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        hint = "give a key without a passphrase, or an agent that has it"
        raise UserError(f"--ssh {identifier}: {file}: {said}", hint=hint)
