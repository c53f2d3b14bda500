"""TLS towards a log receiver, on a socket that never blocks. Imported by shims with such a receiver only."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.container.settings import Tls

LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What says that there is nothing to read, or no room to write, for now."""


def secure(connection: socket.socket, tls: Tls) -> ssl.SSLSocket:
    """Take a connected socket over; the handshake has not begun. Raises OSError for certificates that cannot be used.

    As Docker does, trust the machine's certificates besides the given ones, from TLS 1.2 on.
    """
    context = ssl.create_default_context()
    if tls.ca:
        context.load_verify_locations(tls.ca)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key or None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=tls.name, do_handshake_on_connect=False)


def shake_hands(connection: socket.socket) -> str:
    """One step of the handshake: ``read`` or ``write`` is what the next one waits for, empty is the end.

    Raises OSError if the other side is not who it should be, or has no TLS.
    """
    assert isinstance(connection, ssl.SSLSocket)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return "read"
    except ssl.SSLWantWriteError:
        return "write"
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or str(error)
        raise OSError(error.errno, f"TLS: {reason.replace('_', ' ').lower()}") from error
    return ""


def take_leave(connection: socket.socket, seconds: float) -> None:
    """Say that nothing more comes, and read until the other side has closed, for at most so many seconds.

    It may have sent session tickets (RFC 8446, section 4.6.1), and a socket closed with anything unread is reset:
    the other side would lose what it has not read yet.
    """
    assert isinstance(connection, ssl.SSLSocket)
    deadline = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        with contextlib.suppress(*LATER):
            connection.unwrap()
        socket.socket.shutdown(connection, socket.SHUT_WR)
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0 and poll.poll(left * 1000):
            with contextlib.suppress(*LATER):
                if not connection.recv(1 << 14):
                    break
