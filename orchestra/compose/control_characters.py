"""Control characters in texts that become lines of files: a newline in a host name would begin a line of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import Stack

# C0, DEL and C1 controls, and Unicode's two separators of lines and paragraphs.
_CONTROL = regex(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TEXTS = ("hostname", "domainname")
_LISTS = ("dns", "dns_search", "dns_opt", "extra_hosts")
_LABELLED = ("networks", "volumes", "configs", "secrets")


def check_control_characters(context: Context, declared: Stack) -> None:
    """Report each text with one to the context's problems."""
    for key, service in context.stack.services.items():
        for place, text in _texts(service, ("services", key)):
            _check(place, text, context)
    for kind in _LABELLED:
        for key, item in getattr(declared, kind).items():
            for place, text in _labels(getattr(item, "labels", None) if item else None, (kind, key, "labels")):
                _check(place, text, context)


def _texts(service: Service, path: Path) -> Iterator[tuple[Path, str]]:
    for attribute in _TEXTS:
        yield (*path, attribute), getattr(service, attribute) or ""
    for attribute in _LISTS:
        for index, text in enumerate(getattr(service, attribute)):
            yield (*path, attribute, index), text
    for name, attachment in (service.networks or {}).items():
        for index, alias in enumerate(attachment.aliases if attachment else ()):
            yield (*path, "networks", name, "aliases", index), alias
    yield from _labels(service.labels, (*path, "labels"))


def _labels(labels: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Values of labels may have tabs, as with Docker: they are texts, and never fields of a line."""
    if isinstance(labels, dict):
        for key, value in labels.items():
            yield (*path, key), key + str(value).replace("\t", " ")


def _check(place: Path, text: str, context: Context) -> None:
    found = _CONTROL.search(text)
    if found is None:
        return
    attribute = next(word for word in reversed(place[:-1] if place[-2] == "labels" else place) if isinstance(word, str))
    what = "a line break" if found[0] in "\n\r" else f"the control character {found[0]!r}"
    hint = "write it on one line; use `|-` or `>-` for a block without a final line break" if found[0] == "\n" else ""
    context.problems.error(
        "invalid-value", f"{attribute}: {what} is not allowed here", context.span(place), place, hint
    )
