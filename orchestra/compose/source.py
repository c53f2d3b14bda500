"""Text to located nodes, through ruamel.yaml's composed node tree.

No Python object is ever built from a tag. Anchors, aliases, merge keys and duplicate keys end here; the tags
``!reset`` and ``!override`` stay on the nodes for the merge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from orchestra.compose.nodes import OVERRIDE, RESET, Map, Node, Path, Scalar, Seq
from orchestra.compose.scalars import render, resolve
from orchestra.errors import Span

if TYPE_CHECKING:
    from orchestra.compose.problems import Problems

MAXIMUM_NODES = 100_000
_STANDARD = "tag:yaml.org,2002:"


class Source(NamedTuple):
    """A text and the path it came from."""

    path: str
    text: str


def parse_documents(source: Source, problems: Problems) -> tuple[Map, ...]:
    """The documents of a file, each a mapping; empty documents are left out.

    What is wrong goes to ``problems``; a document that cannot be read at all ends the list.
    """
    problems.texts[source.path] = source.text
    yaml = YAML(typ="safe", pure=True)
    documents: list[Map] = []
    try:
        roots = list(yaml.compose_all(source.text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(part for part in (error.context, error.problem) if part).replace("\n", " ")
        problems.error("yaml", what, Span(source.path, line, column, line, column + 1), (), _yaml_hint(source, line))
        return ()
    except YAMLError as error:
        problems.error("yaml", str(error).splitlines()[0], Span(source.path, 1, 1, 1, 2))
        return ()
    for root in roots:
        if root is None:
            continue
        node = _Builder(source, problems).build(root, ())
        if isinstance(node, Map):
            documents.append(node)
        elif not (isinstance(node, Scalar) and node.value is None):
            problems.error("wrong-type", "a Compose file must be a mapping at its top level", node.span)
    return tuple(documents)


def _yaml_hint(source: Source, line: int) -> str:
    lines = source.text.splitlines()
    text = lines[line - 1] if line <= len(lines) else ""
    if "\t" in text[: len(text) - len(text.lstrip())]:
        return "YAML is indented with spaces, never with tabs"
    return ""


class _Builder:
    """One document's nodes. Aliased nodes are built once and shared; their expanded size is counted all the same."""

    def __init__(self, source: Source, problems: Problems) -> None:
        self.path = source.path
        self.problems = problems
        self.built: dict[int, Node] = {}
        self.sizes: dict[int, int] = {}
        self.open: set[int] = set()
        self.too_large = False

    def build(self, raw: Any, path: Path) -> Node:
        span = Span(
            self.path,
            raw.start_mark.line + 1,
            raw.start_mark.column + 1,
            raw.end_mark.line + 1,
            raw.end_mark.column + 1,
        )
        if id(raw) in self.built:
            return self.built[id(raw)]
        if id(raw) in self.open:
            self.problems.error("yaml", "an anchor contains an alias to itself", span, path)
            return Scalar(None, span)
        self.open.add(id(raw))
        node = self._build(raw, span, path)
        self.open.discard(id(raw))
        self.built[id(raw)] = node
        size = self._size(raw)
        self.sizes[id(raw)] = size
        if size > MAXIMUM_NODES and not self.too_large:
            self.too_large = True
            self.problems.error("yaml", f"aliases expand to more than {MAXIMUM_NODES} values", span, path)
        return node

    def _size(self, raw: Any) -> int:
        if isinstance(raw, ScalarNode):
            return 1
        if isinstance(raw, SequenceNode):
            return 1 + sum(self.sizes.get(id(item), 1) for item in raw.value)
        return 1 + sum(self.sizes.get(id(item), 1) for _, item in raw.value)

    def _build(self, raw: Any, span: Span, path: Path) -> Node:
        tag = self._tag(raw, span, path)
        if isinstance(raw, ScalarNode):
            if raw.style in (None, "") and (not tag or tag in (RESET, OVERRIDE)):
                return Scalar(resolve(raw.value), span, tag)
            return Scalar(raw.value, span, tag, plain=False)
        if isinstance(raw, SequenceNode):
            return Seq(tuple(self.build(item, (*path, index)) for index, item in enumerate(raw.value)), span, tag)
        assert isinstance(raw, MappingNode)
        return self._mapping(raw, span, tag, path)

    def _tag(self, raw: Any, span: Span, path: Path) -> str:
        """'' for the standard tags that mean what the value looks like; others than our own two are refused."""
        tag = str(raw.tag or "")
        if tag in (RESET, OVERRIDE):
            return tag
        if tag.startswith(_STANDARD) or tag in ("", "!"):
            # An explicit !!str makes a plain scalar a string: ruamel marks what it resolved itself the same way,
            # so ask the text whether it would have been a string anyway.
            explicit = isinstance(raw, ScalarNode) and tag == f"{_STANDARD}str" and raw.style in (None, "")
            return "!!str" if explicit and not isinstance(resolve(raw.value), str) and self._is_tagged(raw) else ""
        self.problems.error(
            "yaml", f"the tag {tag} is not known", span, path, "Compose files know !reset and !override only"
        )
        return ""

    def _is_tagged(self, raw: Any) -> bool:
        line = self.problems.line(Span(self.path, raw.start_mark.line + 1, 1, 1, 1))
        return line[raw.start_mark.column :].startswith("!")

    def _mapping(self, raw: MappingNode, span: Span, tag: str, path: Path) -> Map:
        items: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        merged: list[Map] = []
        for raw_key, raw_value in raw.value:
            key_span = Span(
                self.path,
                raw_key.start_mark.line + 1,
                raw_key.start_mark.column + 1,
                raw_key.end_mark.line + 1,
                raw_key.end_mark.column + 1,
            )
            if not isinstance(raw_key, ScalarNode):
                self.problems.error("wrong-type", "a key must be a string", key_span, path)
                continue
            if raw_key.value == "<<" and raw_key.style in (None, ""):
                merged += self._merge_key(raw_value, key_span, path)
                continue
            value = raw_key.value if raw_key.style not in (None, "") else resolve(raw_key.value)
            if value is None:
                self.problems.error("wrong-type", "a key must not be empty", key_span, path)
                continue
            key = raw_key.value if isinstance(value, str) else render(value)
            if not isinstance(value, str):
                kind = "boolean" if isinstance(value, bool) else "number"
                message = f"the key {raw_key.value} must be a string, not a {kind}"
                self.problems.error("wrong-type", message, key_span, (*path, key), f'write "{raw_key.value}"')
            if key in items:
                self.problems.error(
                    "duplicate-key",
                    f"the key {key} is already there at line {keys[key].line}",
                    key_span,
                    (*path, key),
                    "a mapping may hold each key once; remove one of the two",
                )
                continue
            items[key] = self.build(raw_value, (*path, key))
            keys[key] = key_span
        for other in merged:  # own keys win, then the first mapping named (YAML 1.1, merge key type)
            for key, node in other.items.items():
                if key not in items:
                    items[key], keys[key] = node, other.keys[key]
        return Map(items, keys, span, tag)

    def _merge_key(self, raw: Any, span: Span, path: Path) -> list[Map]:
        node = self.build(raw, (*path, "<<"))
        found = node.items if isinstance(node, Seq) else (node,)
        maps = [item for item in found if isinstance(item, Map)]
        if len(maps) != len(found):
            self.problems.error("wrong-type", "a merge key (<<) takes a mapping or a list of mappings", span, path)
        return maps
