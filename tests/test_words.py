"""Plain English: no sentence uses the words that mark a translated one.

Words in backticks are names, such as the user `nobody`, and do not count.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import lru_cache
from pathlib import Path

import pytest

# Begins with what takes long, so that no worker is alone with it in the end.
pytestmark = pytest.mark.xdist_group("words")
ROOT = Path(__file__).parent.parent
HABITS = re.compile(
    r"\b(?:nobody|whoever|whomever|whom|anybody|somebody|mend(?:s|ed)?|(?:is|be|are) at it|(?:is|are) not ours"
    r"|has not what|for anybody else neither|that which|one's own|for want of|in earnest|in peace|in vain"
    r"|nothing happens (?:when|where)|(?:is|are) told (?:of|by)|as it stands)\b|(?:^|[.:;] )Who (?!else\b)[^?]*$",
    re.IGNORECASE,
)
NAMES = re.compile(r"`+[^`]+`+")
ANYWHERE = re.compile(
    HABITS.pattern.replace("(?:^|[.:;] )", "(?m:^|[\"'#.:;])\\s*").removesuffix("[^?]*$"), re.IGNORECASE
)
"""Finds all that ``HABITS`` finds, in a file as a whole, and more."""
JOINT = re.compile(r"""["']\s*f?["']""")
"""Between two pieces of a string."""


@lru_cache(maxsize=1)
def parsed(text: str) -> list[ast.AST]:
    """All nodes."""
    return list(ast.walk(ast.parse(text)))


def strings(text: str) -> list[tuple[int, str]]:
    """Literals that are not docstrings, with their lines; an f-string's as one, with gaps for its values."""
    nodes = parsed(text)
    remarks = {id(node) for node in _notes(nodes)}
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    elsewhere = remarks | parts
    found = []
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            pieces = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            found.append((node.lineno, "".join(pieces)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in elsewhere:
            found.append((node.lineno, node.value))
    return found


def notes(text: str) -> list[tuple[int, str]]:
    """Lines of comments and docstrings."""
    found = [
        (token.start[0], token.string.lstrip("# "))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in _notes(parsed(text)):
        found += enumerate(str(node.value).splitlines(), node.lineno)
    return found


def _notes(nodes: list[ast.AST]) -> list[ast.Constant]:
    """Strings that stand as statements."""
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]


def habits(lines: list[tuple[int, str]]) -> list[str]:
    return [f"{number}: {text.strip()}" for number, text in lines if HABITS.search(NAMES.sub("`", text))]


def may_have_habits(text: str) -> bool:
    """Whether it is worth the seconds in which all files are parsed."""
    return bool(ANYWHERE.search(JOINT.sub("", text)))


SOURCES = sorted((ROOT / "orchestra").rglob("*.py"))
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
]


def test_no_message_comment_or_docstring_has_a_habit():
    told = []
    for file in SOURCES:
        if not may_have_habits(text := file.read_text()):
            continue
        told += [f"{file.relative_to(ROOT)}:{line}" for line in habits(strings(text) + notes(text))]
    assert told == []


def test_no_page_has_a_habit():
    told = [
        f"{page.relative_to(ROOT)}:{line}"
        for page in PAGES
        for line in habits(list(enumerate(page.read_text().splitlines(), 1)))
    ]
    assert told == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Nobody of them is a daemon",
        "for whoever waits",
        "create it, or mend its path",
        "unless their restart policy is at it already",
        "CAP_X is not ours to give",
        "Who attaches and does not read fast enough is cut off",
        "the machine has not what is asked for",
        "works for anybody",
        "to whom they belong",
        "Nothing happens when there is none",
        "waits in vain",
    ],
)
def test_a_habit_is_found_wherever_it_stands(sentence):
    text = f'''"""{sentence}"""\n# {sentence}\nshow(f"{{name}}: {sentence}", "{sentence}")\n'''
    assert [line.partition(": ")[0] for line in habits(notes(text))] == ["2", "1"]
    assert len(habits(strings(text))) == 2
    pieces = sentence.replace(" ", ' "\n        f"')
    assert all(map(may_have_habits, (*text.splitlines(), f'show("{pieces}")', f'show("{{name}}: {pieces}")')))


@pytest.mark.parametrize(
    "sentence",
    [
        "None of them is a daemon",
        "the user who owns it",
        "recommended, or amended",
        "Who else is there",
        "Who may?",
        "files of the user `nobody`",
    ],
)
def test_a_plain_sentence_is_none(sentence):
    assert habits([(1, sentence)]) == []
