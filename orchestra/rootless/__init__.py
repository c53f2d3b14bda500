"""Containers without root: the namespaces of a user's home, in which everything else believes that it is root.

    keeper          makes a user, a mount and a network namespace, and lives until the home has no stack and no command
    ├── pasta       connects the network namespace with the host's (passt(1)); or slirp4netns(1)
    └── relays      carry connections from ports of the host to containers
    command         joins them, or has the keeper started (``entry``)
    fork server     is in the user and mount namespace, but in the host's network, for ``network_mode: host``
    └── supervisor  works in the home's network, and asks ``host_network`` for what belongs in the host's

Only commands of users other than root import this. Standard library only.
"""
