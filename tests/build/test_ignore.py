"""The patterns of .dockerignore, as https://docs.docker.com/build/concepts/context/#dockerignore-files has them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.build.ignore import Ignore, parse_ignore
from orchestra.errors import DockerfileError


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("a", ["a", "a/b", "a/b/c"], ["b/a", "ab", "A"]),
        ("/a", ["a", "a/b"], ["b/a"]),
        ("./a/", ["a", "a/b"], ["b/a"]),
        ("a/../b", ["b"], ["a", "a/b"]),
        ("  a b  ", ["a b"], ["a"]),
        ("*", ["a", "a/b", ".hidden"], []),
        ("*.md", ["a.md", ".md"], ["a/b.md", "a.mdx"]),
        ("*/b", ["a/b", "a/b/c"], ["b", "a/a/b"]),
        ("*/*/b*", ["a/a/b", "a/a/bcd"], ["a/b"]),
        ("a?", ["ab", "aé"], ["a", "abc", "a/"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "ab"]),
        ("a**", ["a", "ab", "a/b"], ["ba"]),
        ("**", ["a", "a/b"], []),
        ("**/b", ["b", "a/b", "a/a/b", "b/c"], ["ab", "bb"]),
        ("**b", ["b", "ab", "a/cb"], ["bc"]),
        ("**/*.go", ["a.go", "a/b.go", "a/b/c.go"], ["a.goo"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/x/b/c"], ["ab", "a/bx"]),
        ("a**b", ["ab", "a/b", "ax/b"], ["axb"]),
        ("**/a/**/b/**/c", ["a/b/c", "x/a/y/b/z/c", "a/b/b/c"], ["a/c", "a/b"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
        ("[^a-c]x", ["dx"], ["ax"]),
        (r"[a\]]x", ["ax", "]x"], [r"\x"]),
        (r"a\*", ["a*"], ["ab"]),
        (r"\!a", ["!a"], ["a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a+(b)|{c}$", ["a+(b)|{c}$"], ["ab"]),
        (".", [], ["a", "a/b"]),
        ("/", [], ["a"]),
        ("../a", [], ["a"]),
    ],
)
def test_a_pattern_matches_paths_and_what_is_below_them(pattern, matched, others):
    ignore = parse_ignore(pattern)
    assert [path for path in matched if not ignore.is_ignored(path)] == []
    assert [path for path in others if ignore.is_ignored(path)] == []


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        (["*", "!a"], ["b", "b/a"], ["a", "a/b"]),
        (["*", "!a/b"], ["a", "a/c"], ["a/b", "a/b/c"]),
        (["!a", "*"], ["a", "b"], []),
        (["*.md", "!README*.md", "README-secret.md"], ["a.md", "README-secret.md"], ["README.md", "README-1.md"]),
        (["*.md", "README-secret.md", "!README*.md"], ["a.md"], ["README-secret.md"]),
        (["a", "!a/b", "a/b/c"], ["a/x", "a/b/c", "a/b/c/d"], ["a/b", "a/b/d"]),
        (["**", "!**/*.py"], ["a", "a/b"], ["x.py", "a/x.py", "a/b/x.py"]),
        (["# a", "", "   ", " #b"], ["#b"], ["a", "b", "# a"]),
        (["! a", "*", "!  b  "], ["a", "c"], ["b"]),
        (["*", "!/a"], ["b"], ["a"]),
        # An exception that a directory did not need does not count for what is below it.
        (["a/b", "!a"], ["a/b"], ["a", "a/c"]),
    ],
)
def test_the_last_pattern_that_matches_decides(lines, ignored, kept):
    ignore = parse_ignore("\n".join(lines))
    assert [path for path in ignored if not ignore.is_ignored(path)] == []
    assert [path for path in kept if ignore.is_ignored(path)] == []


@pytest.mark.parametrize(
    ("lines", "entered", "pruned"),
    [
        (["a"], [], ["a", "a/b"]),
        (["*", "!a/b/c"], ["a", "a/b"], ["b", "a/c", "a/b/c/d"]),
        (["*", "!*/b"], ["a", "x"], ["a/x"]),
        (["*", "!**/b"], ["a", "a/x/y"], []),
        (["*", "!a/**/b"], ["a", "a/x"], ["b"]),
        (["*", "!a[/]b/c"], ["a", "x"], []),
    ],
)
def test_an_ignored_directory_is_entered_only_for_an_exception(lines, entered, pruned):
    ignore = parse_ignore("\n".join(lines))
    assert [path for path in entered if not ignore.may_contain(path)] == []
    assert [path for path in pruned if ignore.may_contain(path)] == []


def test_a_byte_order_mark_and_carriage_returns_do_not_count():
    ignore = parse_ignore("\ufeffa\r\n!a/b\r\n")
    assert [ignore.is_ignored("a"), ignore.is_ignored("a/b")] == [True, False]
    assert not parse_ignore("\ufeff# a\n").is_ignored("a")
    assert not parse_ignore("")


def test_a_list_of_patterns_keeps_its_leading_slashes():
    assert not Ignore(["/a"]).is_ignored("a")
    assert Ignore(["a", "!a/b"]).is_ignored("a/c")


def test_a_path_may_have_any_number_of_parts():
    assert Ignore(["**/b"]).is_ignored("a/" * 2000 + "b")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("!", "an exception needs a pattern after the !"),
        ("a[", "a [ is never closed"),
        ("a[b", "a [ is never closed"),
        ("[]a]", r"brackets need a character where ] stands; write \] for it"),
        ("[a-]", r"brackets need a character where ] stands; write \] for it"),
        ("[z-a]", "the range z-a in brackets ends before it begins"),
        ("a\\", "the pattern ends in a backslash"),
        ("a**b**c**d", "the pattern has more than 2 ** that are not a directory of their own"),
    ],
)
def test_all_wrong_patterns_are_reported_at_their_places(pattern, message):
    with pytest.raises(DockerfileError) as raised:
        parse_ignore(f"ok\n  {pattern}\n{pattern}", "ignored")
    first, second = raised.value.diagnostics
    assert (first.message, str(first.span), str(second.span)) == (message, "ignored:2:3", "ignored:3:1")


@pytest.mark.parametrize("pattern", ["*a" * 30, "**/a/" * 30 + "b", "**/*a*a*a*a/" * 9, "**a**a*?a*[b]a*"])
def test_no_pattern_takes_long(pattern):
    begin = time.process_time()
    parse_ignore(pattern).is_ignored("a/" * 200 + "a" * 250)
    assert time.process_time() - begin < 1


WORDS = st.sampled_from(["a", "b", "ab", "*", "a*", "?", "**", "*b", "*a*b"])


@given(
    st.lists(WORDS, min_size=1, max_size=6), st.lists(st.sampled_from(["a", "b", "ab", "aab"]), min_size=1, max_size=6)
)
def test_patterns_made_of_directories_match_as_the_plain_expression(parts, path):
    pattern, text = "/".join(parts), "/".join(path)
    plain = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    expected = any(
        re.fullmatch(plain.replace(r"\?", "[^/]"), "/".join(path[: count + 1])) for count in range(len(path))
    )
    assert parse_ignore(pattern).is_ignored(text) == expected


@given(st.text("ab*?[]!\\/-^# \n", max_size=20), st.text("ab/", max_size=10))
def test_no_text_raises_anything_but_the_located_error(text, path):
    try:
        ignore = parse_ignore(text)
    except DockerfileError:
        return
    ignore.is_ignored(path)
    ignore.may_contain(path)


@given(
    st.lists(st.sampled_from(["a", "!a/b", "!**/b", "*", "!*/a", "a/b", "!b"]), max_size=4), st.text("ab/", max_size=8)
)
def test_what_is_kept_below_an_ignored_directory_may_be_there(lines, text):
    ignore = parse_ignore("\n".join(lines))
    parts = [part for part in text.split("/") if part]
    for count in range(1, len(parts)):
        directory = "/".join(parts[:count])
        if ignore.is_ignored(directory) and not ignore.is_ignored("/".join(parts)):
            assert ignore.may_contain(directory)
