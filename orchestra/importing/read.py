"""Which of the known forms a text has, and the Compose file that it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.nodes import Map, Seq, make_map, plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents
from orchestra.errors import Span, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.importing.compose_file import Imported

_UNITS = (".container", ".volume", ".network", ".pod", ".kube", ".image", ".build", ".quadlets")
_WRAPPED = '{"containers": '


def convert(texts: Sequence[tuple[str, str]]) -> Imported:
    """texts: with the names of their files. Raises ComposeError for what is no YAML, UserError for an unknown form."""
    if all(name.endswith(_UNITS) for name, _text in texts):
        from orchestra.importing.quadlet import convert as convert_units
        from orchestra.importing.unit import split

        return convert_units([unit for name, text in texts for unit in split(name, text)])
    from orchestra.importing.part import read_book

    if len(texts) == 1 and texts[0][1].lstrip().startswith("["):
        from orchestra.importing import inspected

        name, text = texts[0]
        (document,) = _documents(name, f"{_WRAPPED}{text.rstrip()}}}")
        if not plain(document)["containers"]:
            raise UserError(f"{name} has no containers")
        return inspected.convert(read_book(document))
    objects: list[Map] = []
    for name, text in texts:
        objects += _documents(name, text)
    for item in objects:
        if not (item.get("apiVersion") and item.get("kind")):
            hint = "give it manifests of Kubernetes, quadlet files, or what docker inspect prints of containers"
            raise UserError(f"{item.span.path} is none of the known forms", hint=hint)
    if not objects:
        raise UserError("there is nothing to import")
    from orchestra.importing import manifests

    where = Span(texts[0][0], 1, 1, 1, 1)
    return manifests.convert(read_book(make_map({"objects": Seq(tuple(objects), where)}, where)))


def _documents(name: str, text: str) -> tuple[Map, ...]:
    problems = Problems()
    documents = parse_documents(Source(name, text), problems)
    problems.raise_errors()
    return documents
