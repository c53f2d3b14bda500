"""Orchestra: a declarative, Compose-compatible container orchestrator for Linux without a daemon.

``load`` reads Compose files into a ``Stack``; both come from ``orchestra.compose`` (their types are in the stub file
beside this one). Importing this package must stay free: every command, the fork server and the shims pass through it.
"""

__version__ = "0.1.0"
__all__ = ["Stack", "__version__", "load"]

_HOMES = {"load": "orchestra.compose.api", "Stack": "orchestra.compose.schema.stack"}


def __getattr__(name: str) -> object:
    """PEP 562: each public name is imported when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
