"""Where the faces that serve listen: sockets of the service manager, a path, or an address of this machine."""

from __future__ import annotations

import os
import signal
import socket
import stat

from orchestra.errors import EnvironmentLack, UserError
from orchestra.linux import private_files, unix_socket

FIRST_FD = 3
"""Of those that a service manager hands over, sd_listen_fds(3)."""
BACKLOG = 128
LAST_PORT = 65535


def handed_over() -> list[socket.socket]:
    """Sockets that systemd has opened, which are for this process only."""
    count = os.environ.pop("LISTEN_FDS", "")
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for fd in range(FIRST_FD, FIRST_FD + int(count)):
        os.set_inheritable(fd, False)
        found.append(socket.socket(fileno=fd))
    return found


def listen_at(path: str, option: str) -> socket.socket:
    """A Unix socket that only the caller may use. option: the one by which the user can name another path.

    Raises UserError if another process listens there, or the path is something else; EnvironmentLack if it cannot be.
    """
    hint = f"name another path with {option}"
    try:
        unix_socket.connect(path).close()
    except FileNotFoundError:
        pass
    except ConnectionRefusedError:
        pass  # of a process that was killed
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", hint=hint) from error
    else:
        raise UserError(f"another process listens at {path}", hint=f"end it first, or {hint}")
    if os.path.lexists(path) and not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise UserError(f"{path} exists and is not a socket", hint=hint)
    try:
        private_files.make_directories(os.path.dirname(os.path.abspath(path)))
        return unix_socket.listen(os.path.abspath(path))
    except OSError as error:
        raise EnvironmentLack(f"cannot listen at {path}: {error.strerror}") from error


def split_address(text: str) -> tuple[str, int]:
    """``ADDRESS:PORT``, the address empty if there is only a port. Of version 6 it stands in brackets.

    Raises ValueError.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > LAST_PORT:
        raise ValueError(f"{text}: no port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def bracketed(host: str) -> str:
    """An address of version 6 in brackets, for a port to follow."""
    return f"[{host}]" if ":" in host else host


def listen_on(host: str, port: int) -> socket.socket:
    """host: an address of the machine, also without root. port: 0 for any that is free. Raises EnvironmentLack."""
    from orchestra.rootless.host_network import in_host_network

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return in_host_network(socket.create_server, (host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # That of create_server names the address once more; names that do not resolve have numbers below 0.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        hint = "choose another with --listen"
        raise EnvironmentLack(f"cannot listen on {host}, port {port}: {reason}", hint=hint) from error


def told_to_end() -> int:
    """A descriptor that becomes readable at SIGTERM or SIGINT, which do nothing else any more."""
    stop, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    return stop
