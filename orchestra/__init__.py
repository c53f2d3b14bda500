"""Orchestra: a declarative, Compose-compatible container orchestrator for Linux without a daemon.

Importing this package must stay free: every command, the fork server and the shims pass through it.
"""

__version__ = "0.1.0"
