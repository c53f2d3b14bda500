"""``orchestra-runtime``: an OCI runtime with a command line, for callers with their own bundle and parent process.

What may live here: standard library, ``orchestra.linux`` and ``orchestra.shim``. Every command is one process that
ends; a container is made by the same code as behind a shim, but its first process is left to the caller's subreaper.
Each command imports only what it needs, since starting takes most of its time.

One *state directory*, ``ROOT/ID``, holds what is known of a container. Every change holds flock(2) on it.

    config.json    the configuration at the time of creation
    seccomp        ``linux.seccomp`` compiled, if there is one
    state.json     written first and removed last, so that everything else can be removed with it
    start.sock     where the created container waits for ``start``; no process listens there once its program runs
"""

from orchestra.container import OCI_VERSION as OCI_VERSION
