"""Loading the file: Compose YAML to ``Stack`` to ``Desired``, as a pipeline of passes (docs/explanation/loading.md).

ruamel.yaml is imported by the first use of ``load``, and pydantic by the first mistake, never by importing this
package: ``orchestra.compose.remembered`` must stay cheap.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.compose.loading import Loaded, load
    from orchestra.compose.render import render_config
    from orchestra.compose.request import Inputs, LoadRequest

_HOMES = {
    "Inputs": "request",
    "LoadRequest": "request",
    "Loaded": "loading",
    "load": "loading",
    "render_config": "render",
}

__all__ = ["Inputs", "LoadRequest", "Loaded", "load", "render_config"]


def __getattr__(name: str) -> object:
    """PEP 562: each public name is imported when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
