"""A JSON Schema for Compose files, from the models: what ``config --schema`` prints, for editors and linters.

The models describe the canonical form. If the table of ``compose.canonical`` has a short form, that is permitted too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.compose import longhand, longhand_lists
from orchestra.compose.canonical import TABLE
from orchestra.compose.schema.stack import Stack
from orchestra.compose.schema.strict import strict

if TYPE_CHECKING:
    from orchestra.compose.longhand import Rule

_TEXT = {"type": "string"}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_TEXTS = {"type": "array", "items": {"type": ["string", "number"]}}
_PATHS = {"anyOf": [_TEXT, _TEXTS]}

# What each rule accepts beside the canonical form.
_SHORT: dict[Rule, dict[str, Any]] = {
    longhand.pairs: _TEXTS,
    longhand.one_or_many: _TEXT,
    longhand.names: _TEXTS,
    longhand.command: _TEXT,
    longhand.probe: _TEXT,
    longhand.depends_on: _TEXTS,
    longhand_lists.hosts: {"type": "object", "additionalProperties": {"anyOf": [_TEXT, _TEXTS]}},
    longhand.ssh: {"type": "object", "additionalProperties": _SCALAR},
    longhand.gpus: {"const": "all"},
    longhand.options: {
        "type": "object",
        "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
    },
    longhand.texts: _TEXTS,
}
# Rules for lists whose entries may be strings besides the canonical mappings.
_SHORT_ENTRIES = (
    longhand_lists.ports,
    longhand_lists.volumes,
    longhand_lists.devices,
    longhand.sources,
    longhand.env_files,
)
_EXTENDS = {
    "anyOf": [
        _TEXT,
        {
            "type": "object",
            "properties": {"service": _TEXT, "file": _TEXT},
            "required": ["service"],
            "additionalProperties": False,
        },
    ]
}
_OLD_EXTERNAL = {"type": "object", "properties": {"name": _TEXT}, "additionalProperties": False}
_INCLUDE = {
    "type": "array",
    "items": {
        "anyOf": [
            _TEXT,
            {
                "type": "object",
                "properties": {"path": _PATHS, "env_file": _PATHS, "project_directory": _TEXT},
                "required": ["path"],
                "additionalProperties": False,
            },
        ]
    },
}


def compose_schema() -> dict[str, Any]:
    """The schema, in JSON Schema's draft 2020-12."""
    schema = strict(Stack).model_json_schema(mode="validation")
    definitions: dict[str, Any] = schema["$defs"]
    for definition in (schema, *definitions.values()):
        if definition.get("type") == "object":
            definition["additionalProperties"] = False
            definition["patternProperties"] = {"^x-": {}}
            definition.pop("required", None)  # a file may be only a part of the whole
    for pattern, rule in TABLE.items():
        _allow(schema, definitions, tuple(pattern.split(".")), rule)
    for name in ("Network", "Volume", "FileObject"):
        properties = definitions[name]["properties"]
        properties["external"] = {"anyOf": [properties["external"], _OLD_EXTERNAL]}
    definitions["Service"]["properties"]["extends"] = _EXTENDS
    schema["properties"]["include"] = _INCLUDE
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Compose file"}


def _allow(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...], rule: Rule) -> None:
    """Allow the short form of ``rule`` at ``path``."""
    holder: dict[str, Any] = schema
    for part in path[:-1]:
        found = _inner(_model(holder, definitions), part)
        if found is None:
            return
        holder = found
    model = _model(holder, definitions)
    properties = model.get("properties", {})
    old = properties.get(path[-1])
    if old is None:
        return
    short = _SHORT.get(rule)
    if rule in _SHORT_ENTRIES:
        array = next(option for option in old.get("anyOf", [old]) if option.get("type") == "array")
        if not any(option == _SCALAR for option in array["items"].get("anyOf", ())):
            array["items"] = {"anyOf": [array["items"], {"type": ["string", "number"]}]}
        short = _TEXT if rule is longhand.env_files else None
    elif short is None and path[-1] in ("build", "extends"):
        short = _TEXT
    if short is not None and short not in old.get("anyOf", ()):
        properties[path[-1]] = {"anyOf": [*old.pop("anyOf", [old]), short]}


def _model(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The definition that a node refers to, or itself; of several, the first that is not null."""
    for option in node.get("anyOf", ()):
        if option.get("type") != "null":
            return _model(option, definitions)
    reference = node.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else node


def _inner(node: dict[str, Any], part: str) -> dict[str, Any] | None:
    if part == "[]":
        found = node.get("items")
    elif part == "*":
        found = node.get("additionalProperties")
    else:
        found = node.get("properties", {}).get(part)
    return found if isinstance(found, dict) else None
