"""What Kubernetes takes: the published schemas of its versions, strict."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

VERSIONS = ("1.25", "1.31", "1.37")
"""The oldest that is still in use, the one in between, and the newest."""


def validate(item: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError if any of the versions would refuse the object."""
    group, _, version = item["apiVersion"].rpartition("/")
    name = f"{group.partition('.')[0]}-{version}" if group else version
    for release in VERSIONS:
        _validator(release, f"{item['kind'].lower()}-{name}").validate(item)


@cache
def _validator(release: str, name: str) -> Draft202012Validator:
    schema = schema_contents(f"{_folder(release)}/{name}.json", release)
    return Draft202012Validator(schema, registry=_definitions(release))


@cache
def _definitions(release: str) -> Registry[Any]:
    definitions: Resource[Any] = Resource.from_contents(
        schema_contents(f"{_folder(release)}/_definitions.json", release)
    )
    return definitions @ Registry()


def _folder(release: str) -> str:
    return f"kubernetes-json-schema/v{release}.0-local-strict"
