"""Text to located nodes, through ruamel.yaml's events.

No Python object is ever built from a tag. Anchors, aliases, merge keys and duplicate keys are resolved here; the tags
``!reset`` and ``!override`` stay on the nodes for the merge. The cost of a hostile text is limited: its size, the
number of values, the depth of nesting, and what aliases add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from orchestra.compose.nodes import OVERRIDE, RESET, WRONG, Map, Node, Path, Scalar, Seq, wrong
from orchestra.compose.scalars import render, resolve
from orchestra.compose.syntax_errors import explain_syntax_error
from orchestra.errors import Span
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.problems import Problems

MAXIMUM_NODES = 100_000
"""Values that aliases may add, besides three times those that are written."""
MAXIMUM_DEPTH = 100
MAXIMUM_SERVICES = 10_000
MAXIMUM_VALUES = 30_000
VALUES_OF_A_SERVICE = 100
"""A load may have this many more values for each of its services; real files have 20 to 95, including keys."""
MAXIMUM_DOCUMENTS = 1000
MAXIMUM_LINES = 250_000
MAXIMUM_LINE = 1024**2
_STANDARD = "tag:yaml.org,2002:"
_RESOLVED = frozenset(f"{_STANDARD}{kind}" for kind in ("int", "float", "bool", "null"))
_KNOWN = _RESOLVED | {f"{_STANDARD}{kind}" for kind in ("str", "map", "seq", "timestamp", "binary", "merge")}
# Half of a surrogate pair cannot be written anywhere, and NUL ends every string in the kernel.
_NO_TEXT = regex("[\0\ud800-\udfff]")


class Source(NamedTuple):
    """A text and the path it came from."""

    path: str
    text: str


class Budget:
    """How much the files of one load may still hold. written: values that have been read, including keys.

    total: including what aliases stand for.
    """

    def __init__(self) -> None:
        self.written = 0
        self.total = 0
        self.services = 0
        self.documents = 0

    @property
    def is_spent(self) -> bool:
        return self.written > MAXIMUM_VALUES + VALUES_OF_A_SERVICE * self.services


class _Refused(Exception):
    """The rest of the text is not worth reading; the mistakes have been reported."""


def parse_documents(source: Source, problems: Problems, budget: Budget | None = None) -> tuple[Map, ...]:
    """The documents of a file, each a mapping; empty documents are skipped.

    Mistakes go to ``problems``; a text that cannot be read to its end has no documents, and is named in
    ``problems.unreadable``. budget: that of the load.
    """
    problems.texts[source.path] = source.text
    problems.unreadable.add(source.path)  # until it has been read to its end
    if (place := _oversized(source)) is not None:
        problems.error("yaml", *place)
        return ()
    budget = budget or Budget()
    events = YAML(typ="safe", pure=True).parse(source.text)
    documents: list[Map] = []
    try:
        for event in events:
            if not isinstance(event, DocumentStartEvent):
                continue
            node = _Builder(source.path, events, problems, budget).document()
            if isinstance(node, Map):
                documents.append(node)
            elif not (isinstance(node, Scalar) and node.value is None):
                problems.error("wrong-type", "a Compose file must be a mapping at its top level", node.span)
    except YAMLError as error:
        what = explain_syntax_error(error, source)
        problems.error("yaml", what.message, what.span, (), what.hint)
        return ()
    except _Refused:
        return ()
    problems.unreadable.discard(source.path)
    return tuple(documents)


def _oversized(source: Source) -> tuple[str, Span] | None:
    """The mistake in a text that would take long to read only to be refused, and its place."""
    lines = source.text.split("\n")
    if len(lines) > MAXIMUM_LINES:
        number, message = MAXIMUM_LINES, f"the file has more than {MAXIMUM_LINES} lines"
    elif len(longest := max(lines, key=len)) > MAXIMUM_LINE:
        number, message = lines.index(longest) + 1, f"this line is longer than {MAXIMUM_LINE // 1024**2} MiB"
    else:
        return None
    return message, Span(source.path, number, 1, number, 2)


class _Anchored(NamedTuple):
    """size: including everything that aliases in it stand for; height: levels below it."""

    node: Node
    size: int
    height: int


class _Builder:
    """The nodes of one document.

    An aliased node is built once and shared, but its expanded size is counted each time.
    """

    def __init__(self, path: str, events: Iterator[Any], problems: Problems, budget: Budget) -> None:
        self.path = path
        self.events = events
        self.problems = problems
        self.budget = budget
        self.anchors: dict[str, _Anchored | Span] = {}
        """A place stands for an anchor whose value is not complete yet."""

    def document(self) -> Node:
        event = next(self.events)
        self.budget.documents += 1
        if self.budget.documents > MAXIMUM_DOCUMENTS:
            self.refuse(f"the stack has more than {MAXIMUM_DOCUMENTS} documents", event, ())
        return self.build(event, (), 0)[0]

    def span(self, start: Any, end: Any) -> Span:
        return Span(self.path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def build(self, event: Any, path: Path, depth: int) -> tuple[Node, int]:
        """The node that begins with ``event``, and its height."""
        if isinstance(event, AliasEvent):
            return self.alias(event, path, depth)
        if depth > MAXIMUM_DEPTH:
            self.refuse(f"this is nested deeper than {MAXIMUM_DEPTH} levels", event, path)
        budget = self.budget
        before = budget.total
        budget.written += 1
        budget.total += 1
        if budget.is_spent:
            self.refuse(f"too many values: {budget.written} for {budget.services} services", event, path)
        anchor = event.anchor
        if anchor is not None:
            self.anchors[anchor] = self.span(event.start_mark, event.end_mark)
        height = 0
        node: Node
        if isinstance(event, ScalarEvent):
            node = self.scalar(event, path)
        elif isinstance(event, SequenceStartEvent):
            node, height = self.sequence(event, path, depth)
        else:
            assert isinstance(event, MappingStartEvent)
            node, height = self.mapping(event, path, depth)
        if anchor is not None:
            self.anchors[anchor] = _Anchored(node, budget.total - before, height)
        return node, height

    def refuse(self, message: str, event: Any, path: Path) -> None:
        self.problems.error("yaml", message, self.span(event.start_mark, event.end_mark), path)
        raise _Refused

    def alias(self, event: Any, path: Path, depth: int) -> tuple[Node, int]:
        known = self.anchors.get(event.anchor)
        if isinstance(known, _Anchored):
            self.budget.total += known.size
            if self.budget.total > MAXIMUM_NODES + 4 * self.budget.written:
                self.refuse(f"aliases expand to more than {MAXIMUM_NODES} values", event, path)
            if depth + known.height > MAXIMUM_DEPTH:
                self.refuse(f"aliases nest this deeper than {MAXIMUM_DEPTH} levels", event, path)
            return known.node, known.height
        if known is None:
            self.refuse(f"there is no earlier anchor &{event.anchor}", event, path)
        assert isinstance(known, Span)
        self.problems.error("yaml", "an anchor contains an alias to itself", known, path)
        raise _Refused

    def scalar(self, event: Any, path: Path) -> Scalar:
        span, text = self.span(event.start_mark, event.end_mark), event.value
        if _NO_TEXT.search(text):
            hint = "no program can be given such a value"
            self.problems.error(
                "invalid-value", "the string contains a NUL or an incomplete character", span, path, hint
            )
            return wrong(span)
        tag = event.tag
        plain = event.style in (None, "")
        if tag is None or tag in (RESET, OVERRIDE):
            return Scalar(resolve(text), span, tag or "") if plain else Scalar(text, span, tag or "", plain=False)
        if tag in _RESOLVED:
            return Scalar(resolve(text), span)
        self.check_tag(tag, span, path)
        return Scalar(text, span, plain=False)

    def check_tag(self, tag: str | None, span: Span, path: Path) -> str:
        """The tag, if it is one for the merge; '' for standard ones. Others are refused."""
        if tag in (RESET, OVERRIDE):
            return str(tag)
        if tag is not None and tag != "!" and tag not in _KNOWN:
            hint = "Compose files support only !reset and !override"
            self.problems.error("yaml", f"unknown tag {tag}", span, path, hint)
        return ""

    def sequence(self, start: Any, path: Path, depth: int) -> tuple[Seq, int]:
        items: list[Node] = []
        height = 0
        for event in self.events:
            if isinstance(event, SequenceEndEvent):
                break
            item, below = self.build(event, (*path, len(items)), depth + 1)
            height = max(height, below)
            if item.tag != WRONG:
                items.append(item)
        span = self.span(start.start_mark, event.end_mark)
        return Seq(tuple(items), span, self.check_tag(start.tag, span, path)), height + 1

    def mapping(self, start: Any, path: Path, depth: int) -> tuple[Map, int]:
        items: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        merged: list[Map] = []
        height = 0
        for event in self.events:
            if isinstance(event, MappingEndEvent):
                break
            key_span = self.span(event.start_mark, event.end_mark)
            if isinstance(event, ScalarEvent) and event.value == "<<" and event.style in (None, ""):
                value, below = self.build(next(self.events), (*path, "<<"), depth + 1)
                merged += self.merged_maps(value, key_span, path)
                height = max(height, below)
                continue
            if path == ("services",):
                self.budget.services += 1
                if self.budget.services > MAXIMUM_SERVICES:
                    self.refuse(f"the stack has more than {MAXIMUM_SERVICES} services", event, path)
            if self.problems.has_enough_errors:
                raise _Refused
            key = self.key(event, key_span, path, depth)
            if key is not None and key in items:
                message = f"duplicate key {key}; first used at line {keys[key].line}"
                hint = "remove one of the two"
                self.problems.error("duplicate-key", message, key_span, (*path, key), hint)
            value, below = self.build(next(self.events), (*path, key or ""), depth + 1)
            height = max(height, below)
            if key is None or key in items:
                continue
            if isinstance(value, Scalar) and value.value is None and value.span[1:3] == value.span[3:]:
                value = Scalar(None, key_span, value.tag)  # nothing is written, so only the key can be shown
            items[key], keys[key] = value, key_span
        for other in merged:  # own keys win, then the first mapping named (YAML 1.1, merge key type)
            for key, node in other.items.items():
                if key not in items:
                    items[key], keys[key] = node, other.keys[key]
        span = self.span(start.start_mark, event.end_mark)
        return Map(items, keys, span, self.check_tag(start.tag, span, path)), height + 1

    def key(self, event: Any, span: Span, path: Path, depth: int) -> str | None:
        """The text of a key; None if it is not one. Consumes its events."""
        node = self.build(event, path, depth + 1)[0]
        if not isinstance(node, Scalar):
            self.problems.error("wrong-type", "a key must be a string", span, path)
            return None
        if node.tag == WRONG:
            return None
        value = node.value
        if value is None:
            self.problems.error("wrong-type", "a key must not be empty", span, path)
            return None
        if isinstance(value, str):
            return value
        kind = "boolean" if isinstance(value, bool) else "number"
        written = event.value if isinstance(event, ScalarEvent) else render(value)
        message = f"the key {written} must be a string, not a {kind}"
        self.problems.error("wrong-type", message, span, (*path, render(value)), f'write "{written}"')
        return render(value)

    def merged_maps(self, node: Node, span: Span, path: Path) -> list[Map]:
        found = node.items if isinstance(node, Seq) else (node,)
        maps = [item for item in found if isinstance(item, Map)]
        if len(maps) != len(found):
            self.problems.error("wrong-type", "a merge key (<<) takes a mapping or a list of mappings", span, path)
        return maps
