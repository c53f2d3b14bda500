"""The Compose file that is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.compose.yaml_text import render_yaml
from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.errors import Diagnostic

Service = dict[str, Any]
SECTIONS = ("services", "networks", "volumes", "configs", "secrets")


class Imported(Record):
    """text: a Compose file. losses: what of the source it does not say, or says only in part."""

    text: str
    losses: tuple[Diagnostic, ...]


def escaped(value: Any) -> Any:
    """Compose interpolates what begins with a dollar sign."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, (list, tuple)):
        return [escaped(item) for item in value]
    return value


def full(**entries: Any) -> dict[str, Any]:
    """Those that say something."""
    return {key: value for key, value in entries.items() if value not in (None, "", (), [], {}, False)}


def render(sections: dict[str, Any], name: str = "") -> str:
    chosen = {section: sections[section] for section in SECTIONS if sections.get(section)}
    return render_yaml({**({"name": name} if name else {}), **chosen})
