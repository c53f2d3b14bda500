"""``--filter KEY=VALUE`` of lists of volumes and networks. Standard library only."""

from __future__ import annotations

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def parse_filters(filters: Sequence[str], known: Sequence[str]) -> dict[str, list[str]]:
    """The values of each key. Raises UserError for a key that is not known, or has no value."""
    found: dict[str, list[str]] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if key not in known:
            from orchestra.nearest import suggest

            raise UserError(f"--filter {text}: there is no filter {key}", hint=suggest(key, known, "filters"))
        if not equals or not value:
            raise UserError(f"--filter {text}: a value is missing", hint=f"write it as {key}=VALUE")
        found.setdefault(key, []).append(value)
    return found


def is_one_of(filters: Mapping[str, Sequence[str]], key: str, fits: Callable[[str], bool]) -> bool:
    """Whether there is no such filter, or one of its values fits."""
    return not filters.get(key) or any(map(fits, filters[key]))


def has_labels(filters: Mapping[str, Sequence[str]], labels: Mapping[str, str]) -> bool:
    """All of ``label``, and none of ``label!``."""
    return all(_has(labels, text) for text in filters.get("label", ())) and not any(
        _has(labels, text) for text in filters.get("label!", ())
    )


def _has(labels: Mapping[str, str], text: str) -> bool:
    """text: ``KEY``, or ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    return key in labels and (not equals or labels[key] == value)


def parse_truth(filter: str, text: str) -> bool:
    """Raises UserError."""
    if text.lower() not in TRUTHS:
        raise UserError(f"--filter {filter}={text}: expected true or false")
    return TRUTHS[text.lower()]
