"""Transactions of nf_tables in the format of libnftables-json(5), by the library that the program ``nft`` is made of.

Within this process that takes a millisecond or two; a program takes ten to start and end. It is run where the library
cannot be loaded by its name.
"""

from __future__ import annotations

import ctypes
import functools
import os
import socket
import subprocess
import threading

from orchestra.linux.network.nftables import NETLINK_NETFILTER
from orchestra.linux.syscall import load_library

LIBRARY, PROGRAM = "libnftables.so.1", "nft"
NFT_CTX_OUTPUT_JSON = 1 << 4  # libnftables(3)

_turn = threading.Lock()
"""Contexts are independent of each other, but not everything that they read when they are made."""


class Refused(Exception):
    """What nf_tables, or the reader of the format, says against a transaction; nothing of it is in effect."""


def run(commands: bytes) -> bytes:
    """Hand the commands to the kernel: all of them hold afterwards, or none. Returns what those that list have found.

    Raises Refused, OSError without nf_tables, and FileNotFoundError if nftables is not installed.
    """
    library = _library()
    return _run_program(commands) if library is None else _run_library(library, commands)


def is_installed() -> bool:
    """Whether there is the library; the program is for the caller to look for."""
    return _library() is not None


@functools.cache
def _library() -> ctypes.CDLL | None:
    context, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    functions = (
        ("nft_ctx_new", context, (ctypes.c_uint32,)),
        ("nft_ctx_free", None, (context,)),
        ("nft_ctx_output_set_flags", None, (context, ctypes.c_uint)),
        ("nft_ctx_buffer_output", number, (context,)),
        ("nft_ctx_buffer_error", number, (context,)),
        ("nft_ctx_get_output_buffer", text, (context,)),
        ("nft_ctx_get_error_buffer", text, (context,)),
        ("nft_run_cmd_from_buffer", number, (context, text)),
    )
    return load_library(LIBRARY, functions)


def _run_library(library: ctypes.CDLL, commands: bytes) -> bytes:
    # The library ends the process if it cannot open this socket.
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER).close()
    with _turn:
        context = library.nft_ctx_new(0)
        try:
            library.nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_JSON)
            library.nft_ctx_buffer_output(context)
            library.nft_ctx_buffer_error(context)
            if library.nft_run_cmd_from_buffer(context, commands):
                raise Refused(library.nft_ctx_get_error_buffer(context).decode(errors="replace").strip())
            return bytes(library.nft_ctx_get_output_buffer(context))
        finally:
            library.nft_ctx_free(context)


def _run_program(commands: bytes) -> bytes:
    # Not as standard input, which nft opens by the name /dev/stdin: a minimal machine has no such link.
    file = os.memfd_create("rules")
    try:
        os.write(file, commands)
        line = [PROGRAM, "-j", "-f", f"/proc/self/fd/{file}"]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=False, pass_fds=[file])
    finally:
        os.close(file)
    if done.returncode:
        raise Refused(done.stderr.decode(errors="replace").strip())
    return done.stdout
