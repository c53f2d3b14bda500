"""A ``Stack`` as text in Compose's canonical form: what ``config`` prints.

Empty values (null, empty, false, zero) are left out, unless that would lose a decision, such as ``init: false`` or
``replicas: 0``. A ``$`` is doubled, so that the output can be loaded again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from orchestra.compose.schema.values import FileMode
from orchestra.compose.yaml_text import render_yaml
from orchestra.units import ByteSize, Duration

if TYPE_CHECKING:
    from orchestra.compose.schema.stack import Stack

# Printed as null if missing: Docker Compose does so, and tools rely on it.
_ALWAYS = frozenset({"command", "entrypoint"})
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
    """The stack as YAML or JSON, with a final newline. JSON has ``x-*`` only at the top, as in Docker Compose."""
    if format_ == "yaml":
        return render_plain(_escape(dump(stack)), format_)
    data = {
        **dump(stack, extensions=False),
        **{key: _dump_value(item) for key, item in (stack.model_extra or {}).items()},
    }
    return render_plain(_escape(data), format_)


def render_plain(data: dict[str, Any], format_: Literal["yaml", "json"]) -> str:
    """A whole Compose file given as plain data: ``name`` first, ``version`` left out."""
    ordered = {key: data[key] for key in sorted(data, key=lambda key: (key != "name", key)) if key != "version"}
    if format_ == "json":
        return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"
    return render_yaml(ordered)


def dump(model: BaseModel, *, extensions: bool = True) -> dict[str, Any]:
    """Plain data of a model, keys in alphabetical order, ``$`` not doubled. extensions: with ``x-*``."""
    result: dict[str, Any] = {}
    fields = type(model).model_fields
    for name in sorted(fields):
        value = getattr(model, name)
        if name in _ALWAYS and name in fields:
            result[name] = None if value is None else list(value)
        elif not _says_nothing(name, value, fields[name].default):
            result[name] = _dump_value(value, extensions)
    if extensions and model.model_extra:
        result.update({key: _dump_value(value) for key, value in sorted(model.model_extra.items())})
    return result


def _says_nothing(name: str, value: object, default: object) -> bool:
    if value is None or value == "" or value == () or value == {}:
        return True
    if value is False:
        return default is False
    return value == 0 and not isinstance(value, bool) and name in _ZERO_IS_NOTHING


def _dump_value(value: Any, extensions: bool = True) -> Any:
    if isinstance(value, BaseModel):
        return dump(value, extensions=extensions)
    if isinstance(value, Mapping):
        return {key: _dump_value(item, extensions) for key, item in sorted(value.items())}
    if isinstance(value, (tuple, list)):
        return [_dump_value(item, extensions) for item in value]
    if isinstance(value, (Duration, ByteSize)):
        return str(value)
    if isinstance(value, FileMode):
        return f"0{int(value):o}"
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape(item) for item in value]
    return value
