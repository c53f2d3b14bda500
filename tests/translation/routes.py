"""What the Gateway API (v1, its standard channel) takes of a route to Services: strict, so other fields are refused.

The definitions of the API are no package for Python. These are those of its fields that a translation uses:
https://gateway-api.sigs.k8s.io/reference/spec/#httproute
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = rf"{_LABEL}(\.{_LABEL})*"


def _text(pattern: str, longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": f"^{pattern}$"}


def _mapping(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def _list(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}


_PARENT = _mapping(("name",), name=_text(".*", 253), namespace=_text(_LABEL, 63), sectionName=_text(_DOMAIN, 253))
_BACKEND = _mapping(("name", "port"), name=_text(".*", 253), port={"type": "integer", "minimum": 1, "maximum": 65535})
_MATCH = _mapping(path=_mapping(type={"enum": ["Exact", "PathPrefix", "RegularExpression"]}, value=_text("/.*", 1024)))
_SPEC = _mapping(
    parentRefs=_list(_PARENT, 32),
    hostnames=_list(_text(rf"(\*\.)?{_DOMAIN}", 253), 16),
    rules=_list(_mapping(backendRefs=_list(_BACKEND, 16), matches=_list(_MATCH, 64)), 16),
)
_LABELS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}}
SCHEMA = _mapping(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "gateway.networking.k8s.io/v1"},
    kind={"const": "HTTPRoute"},
    metadata=_mapping(("name",), name=_text(_DOMAIN, 253), labels=_LABELS, annotations=_LABELS),
    spec=_SPEC,
)


def validate_route(item: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError."""
    Draft202012Validator(SCHEMA).validate(item)
