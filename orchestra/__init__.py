"""Orchestra: a declarative, Compose-compatible container orchestrator for Linux without a daemon.

``load`` reads Compose files into a ``Stack``; ``up`` brings one up for as long as a program needs it. The stub file
beside this one has the types. Importing this package must stay free: every command, the fork server and the shims pass
through it.
"""

__version__ = "0.1.0"

_HOMES = {
    "ActionEvent": "orchestra.model.event",
    "Address": "orchestra.api.stack",
    "AsyncRunningStack": "orchestra.api.asynchronous",
    "BlockedEvent": "orchestra.model.event",
    "ContainerEvent": "orchestra.model.event",
    "ContainerRow": "orchestra.stacks.containers",
    "ConvergedEvent": "orchestra.model.event",
    "ExecError": "orchestra.api.errors",
    "ExecResult": "orchestra.api.program",
    "HealthEvent": "orchestra.model.event",
    "LogLine": "orchestra.api.log",
    "RunningStack": "orchestra.api.stack",
    "SkippedEvent": "orchestra.model.event",
    "SnapshotEvent": "orchestra.model.event",
    "Stack": "orchestra.compose.schema.stack",
    "StackError": "orchestra.api.errors",
    "UpError": "orchestra.api.errors",
    "load": "orchestra.compose.api",
    "up": "orchestra.api.opening",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    """PEP 562: each public name is imported when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
