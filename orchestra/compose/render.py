"""A ``Stack`` as text in Compose's canonical form: what ``config`` prints.

Empty values (null, empty, false, zero) are left out, unless that would lose a decision, such as ``init: false`` or
``replicas: 0``. Keys come in the order of the models' fields, which is Docker Compose's. A ``$`` is doubled, so that
the output can be loaded again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from orchestra.compose.schema.model import Model
from orchestra.compose.schema.values import FileMode
from orchestra.compose.yaml_text import render_yaml
from orchestra.units import ByteSize, Duration

if TYPE_CHECKING:
    from orchestra.compose.schema.stack import Stack

# Printed as null in JSON if missing: Docker Compose does so, and tools rely on it.
_ALWAYS = frozenset({"command", "entrypoint"})
_TOP = ("name", "services", "networks", "volumes", "secrets", "configs", "models")
# Numbers whose zero is Docker's "not set".
_ZERO_IS_NOTHING = frozenset(
    {
        "cpu_count",
        "cpu_percent",
        "cpu_period",
        "cpu_quota",
        "cpu_rt_period",
        "cpu_rt_runtime",
        "cpu_shares",
        "cpus",
        "gw_priority",
        "mem_limit",
        "mem_reservation",
        "mem_swappiness",
        "memory",
        "memswap_limit",
        "oom_score_adj",
        "pids",
        "pids_limit",
        "priority",
        "shm_size",
        "size",
        "weight",
    }
)


def render_config(stack: Stack, format_: Literal["yaml", "json"] = "yaml") -> str:
    """The stack as YAML or JSON, with a final newline.

    As in Docker Compose, JSON has ``x-*`` only at the top, and YAML has neither nulls nor empty sections.
    """
    if format_ == "yaml":
        return render_plain(escape(dump(stack, hollow=False)), format_)
    data = {
        **dump(stack, extensions=False),
        **{key: dump_value(item) for key, item in stack.extensions.items()},
    }
    return render_plain(escape(data), format_)


def render_plain(data: dict[str, Any], format_: Literal["yaml", "json"]) -> str:
    """A whole Compose file given as plain data: ``name`` first, ``services`` always there, ``version`` left out."""
    data = {"services": {}, **data}
    first = ("name",) if format_ == "json" else _TOP
    order = [key for key in first if key in data] + sorted(data.keys() - {*first, "version"})
    ordered = {key: data[key] for key in order}
    if format_ == "json":
        return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"
    return render_yaml(ordered)


def dump(model: Model, *, extensions: bool = True, hollow: bool = True) -> dict[str, Any]:
    """Plain data of a model, ``$`` not doubled. extensions: with ``x-*``. hollow: with what is there without being
    given, such as ``command: null`` and ``ipam: {}``.
    """
    result: dict[str, Any] = {}
    for name in model.hints():
        value, default = getattr(model, name), model.default(name)
        if name in _ALWAYS and (hollow or value is not None):
            result[name] = None if value is None else list(value)
        elif not says_nothing(name, value, default):
            shown = dump_value(value, extensions, hollow)
            if shown or hollow or not isinstance(default, Model):
                result[name] = shown
    if extensions:
        result.update({key: dump_value(value) for key, value in sorted(model.extensions.items())})
    return result


def says_nothing(name: str, value: object, default: object) -> bool:
    if value is None or value == "" or value == () or value == {}:
        return True
    if value is False:
        return default is False
    return value == 0 and not isinstance(value, bool) and name in _ZERO_IS_NOTHING


def dump_value(value: Any, extensions: bool = True, hollow: bool = True) -> Any:
    if isinstance(value, Model):
        return dump(value, extensions=extensions, hollow=hollow)
    if isinstance(value, Mapping):
        return {key: dump_value(item, extensions, hollow) for key, item in sorted(value.items())}
    if isinstance(value, (tuple, list)):
        return [dump_value(item, extensions, hollow) for item in value]
    if isinstance(value, (Duration, ByteSize)):
        return str(value)
    if isinstance(value, FileMode):
        return f"0{int(value):o}"
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value


def escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value
