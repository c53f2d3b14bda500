"""``orchestra-runtime``: an OCI runtime by command line, for those who bring a bundle and a parent of their own.

What may live here: standard library, ``orchestra.linux`` and ``orchestra.shim``. Every command is one process that
ends; a container is made by the same code that runs behind a shim, but its first process is left to whoever is the
caller's subreaper. Each command imports only what it needs: start-up time is most of what it costs.

One *state directory*, ``ROOT/ID``, holds what is known of a container. flock(2) on it is held by whoever changes it.

    config.json    the configuration as it was at creation
    seccomp        ``linux.seccomp`` compiled, where there is one
    state.json     written first and removed last: whoever finds it can remove all the rest
    start.sock     where the created container waits for ``start``; nobody listens there once its program runs
"""

from orchestra.container import OCI_VERSION as OCI_VERSION
