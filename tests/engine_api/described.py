"""Answers held against Docker's description of its API: which fields they have, and of which types.

``described.json`` has these facts of version 1.45, without its words. It is made of the description by

    python -m tests.engine_api.described swagger.yaml
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTS = Path(__file__).with_name("described.json")
KEPT = ("$ref", "type", "required", "enum", "format")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
METHODS = ("get", "post", "put", "head", "delete")
ALLOWED = (
    r"(\.HostConfig)?\.Isolation is '', .*",  # so with Docker itself
    r"\.HostConfig\.MemorySwappiness is null, .*",  # so with Docker itself
    r"\.ExitCode is null, .*",  # of an execution that has not ended, so with Docker itself
    r"(\[\d+\])?\.EnableIPv4 is not described",  # of a later version
    r"\.Descriptor is not described",  # of a later version
)
SEVERAL = ("/images/{name}", "/distribution/{name}")
"""Where a name may hold slashes."""


def faults(method: str, path: str, status: int, answer: Any) -> list[str]:
    """What of an answer is not as described; nothing for an endpoint without a description."""
    for endpoint in _endpoints():
        if endpoint[0] == method and endpoint[1].fullmatch(path):
            schema = endpoint[2].get(str(status))
            found = [] if schema is None else list(_faults(schema, answer, ""))
            return [fault for fault in found if not any(re.fullmatch(each, fault) for each in ALLOWED)]
    return []


@cache
def _facts() -> dict[str, Any]:
    return json.loads(FACTS.read_text())


@cache
def _endpoints() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    rows = []
    for key, answers in _facts()["endpoints"].items():
        method, path = key.split(" ")
        part = ".+" if path.startswith(SEVERAL) else "[^/]+"
        rows.append((method, re.compile(re.sub(r"\{\w+\}", part, path)), answers))
    # A path with fewer parameters is the more special one: /images/json is not an image.
    return sorted(rows, key=lambda row: row[1].pattern.count("+"))


def _faults(schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    schema = _whole(schema)
    kind = schema.get("type") or ("object" if "properties" in schema else "")
    if value is None:
        if not schema.get("nullable") and kind not in ("array", "object", ""):  # what Go has none of is null
            yield f"{at} is null, not {kind}"
        return
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{at} is {value!r}, not {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is {value!r}, not one of {schema['enum']}"
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _faults(schema.get("items", {}), item, f"{at}[{place}]")
    elif isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("others")
        yield from (f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, item in value.items():
            if name in properties:
                yield from _faults(properties[name], item, f"{at}.{name}")
            elif others is not None:
                yield from _faults(others, item, f"{at}.{name}")
            elif properties:
                yield f"{at}.{name} is not described"


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """With what it refers to, and what it is put together from."""
    parts = [_facts()["definitions"][schema["$ref"]]] if "$ref" in schema else schema.get("all", ())
    found: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("$ref", "all")}
    for part in map(_whole, parts):
        merged = {**part.get("properties", {}), **found.get("properties", {})}
        required = [*part.get("required", ()), *found.get("required", ())]
        found = {**part, **found, **({"properties": merged} if merged else {}), "required": required}
    return found


def reduce(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the description without its words."""
    found = {key: schema[key] for key in KEPT if key in schema and key != "format"}
    if "$ref" in schema:
        return {"$ref": schema["$ref"].rpartition("/")[2]}
    if schema.get("x-nullable"):
        found["nullable"] = True
    if "allOf" in schema:
        found["all"] = [reduce(each) for each in schema["allOf"]]
    if "properties" in schema:
        found["properties"] = {name: reduce(each) for name, each in schema["properties"].items()}
    if "items" in schema:
        found["items"] = reduce(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        found["others"] = reduce(schema["additionalProperties"])
    return found


def main(path: str) -> None:
    import yaml

    described = yaml.safe_load(Path(path).read_text())
    endpoints = {}
    for where, methods in described["paths"].items():
        for method in METHODS:
            answers = {
                str(status): reduce(answer["schema"])
                for status, answer in methods.get(method, {}).get("responses", {}).items()
                if "schema" in answer
            }
            if answers:
                endpoints[f"{method.upper()} {where}"] = answers
    definitions = {name: reduce(each) for name, each in described["definitions"].items()}
    rows = {"definitions": definitions, "endpoints": endpoints}
    lines = [
        f" {json.dumps(part)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
        + "\n }"
        for part, values in rows.items()
    ]
    FACTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
