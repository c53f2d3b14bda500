"""Variables: https://docs.docker.com/reference/dockerfile/#environment-replacement."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.build.expand import ExpansionError, Style, expand

VARIABLES = {"a": "hello", "empty": "", "two": "x y", "path": "/usr/lib/a.tar.gz", "star": "a*b", "_x1": "1"}
PLAIN = Style()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a", "hello"),
        ("${a}b", "hellob"),
        ("$a-b", "hello-b"),
        ("$_x1", "1"),
        ("$nope", ""),
        ("a$", "a$"),
        ("$(x)", "$(x)"),
        ("$$a", "a"),
        ("$1a", "a"),
        ("$@", ""),
        (r"\$a", "$a"),
        (r"\\$a", r"\hello"),
        (r"a\ b\c\"", 'a bc"'),
        ("a\\", "a"),
        ("'$a'", "$a"),
        ('"$a b"', "hello b"),
        (r'"\$a \" \n \\"', r'$a " \n \ '.rstrip(" ")),
        ("a'b c'\"d\"", "ab cd"),
        ("${nope:-d}", "d"),
        ("${empty:-d}", "d"),
        ("${empty-d}", ""),
        ("${a:-d}", "hello"),
        ("${nope:-${a}$_x1}", "hello1"),
        ('${nope:-"a b"}', "a b"),
        ("${nope:-}", ""),
        ("${a:+b}", "b"),
        ("${empty:+b}", ""),
        ("${empty+b}", "b"),
        ("${nope+b}", ""),
        ("${a:?no}", "hello"),
        ("${empty?no}", ""),
        ("${path#*/}", "usr/lib/a.tar.gz"),
        ("${path##*/}", "a.tar.gz"),
        ("${path%.*}", "/usr/lib/a.tar"),
        ("${path%%.*}", "/usr/lib/a"),
        ("${path#/usr}", "/lib/a.tar.gz"),
        ("${path#lib}", "/usr/lib/a.tar.gz"),
        ("${path%?z}", "/usr/lib/a.tar."),
        ("${path#*}", "/usr/lib/a.tar.gz"),
        ("${path##*}", ""),
        ("${path%%/l*}", "/usr"),
        (r"${star#a\*}", "b"),
        ("${path/a/X}", "/usr/lib/X.tar.gz"),
        ("${path//a/X}", "/usr/lib/X.tXr.gz"),
        (r"${path//\//_}", "_usr_lib_a.tar.gz"),
        ("${path/u*b/}", "//a.tar.gz"),
        ("${path//[a]/X}", "/usr/lib/a.tar.gz"),
        ("${path/a/$a}", "/usr/lib/hello.tar.gz"),
        ("${nope/a/b}", ""),
        ("${empty//*/x}", "x"),
        ("${nope#a}", ""),
    ],
)
def test_a_variable_is_replaced(text, expected):
    assert expand(text, VARIABLES, PLAIN).text == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a", "a single quote is never closed"),
        ('"a', "a double quote is never closed"),
        ("${", "the } of a ${…} is missing"),
        ("${a", "the } of a ${…} is missing"),
        ("${a:", "the } of a ${…} is missing"),
        ("${a:-b", "the } of a ${…} is missing"),
        ("${a/b}", "the / of a ${…} is missing"),
        ("${a/b/c", "the } of a ${…} is missing"),
        ("${}", "a name of a variable has to follow ${"),
        ("${:-a}", "a name of a variable has to follow ${"),
        ("${{a}}", "a name of a variable has to follow ${"),
        ("${a:b}", ":b is not a modifier of a variable"),
        ("${a^}", "^ is not a modifier of a variable"),
        ("${nope?}", "nope: is not allowed to be unset"),
        ("${empty:?}", "empty: is not allowed to be empty"),
        ("${nope:?set $a}", "nope: set hello"),
        (r"${a#\x}", r"\x in the pattern of a variable; only *, ?, \, } and / are escaped"),
        ("${a#" + "x" * 5000 + "}", "the pattern of a variable is longer than 4096 characters"),
        ("${a:-" * 60 + "}" * 60, "variables are nested too deeply"),
    ],
)
def test_a_mistake_is_named(text, message):
    with pytest.raises(ExpansionError) as raised:
        expand(text, VARIABLES, PLAIN)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" a  b ", ("a", "b")),
        ("$two a", ("x", "y", "a")),
        ('"$two" a', ("x y", "a")),
        (r"a\ b 'c d'e", ("a b", "c de")),
        ("$empty", ()),
    ],
)
def test_words_are_split_at_spaces_that_are_not_quoted(text, words):
    assert expand(text, VARIABLES, PLAIN).words == words


@pytest.mark.parametrize(
    ("style", "text", "expected"),
    [
        (Style(escape="`"), "a`$b\\c", "a$b\\c"),
        (Style(keep_quotes=True), "'a' \"$a\"", "'a' \"hello\""),
        (Style(keep_escapes=True), r"\$a", r"\$a"),
        (Style(ignore_quotes=True), 'it\'s "$a"', 'it\'s "hello"'),
        (
            Style(keep_unset=True),
            "$nope ${nope} ${nope:-$a} ${nope/b/c} $a",
            "$nope ${nope} ${nope:-hello} ${nope/b/c} hello",
        ),
    ],
)
def test_a_style_keeps_what_it_says(style, text, expected):
    assert expand(text, VARIABLES, style).text == expected


def test_variables_that_are_looked_up_are_told():
    found = expand("$a ${nope:-$empty} ${b+$c}", VARIABLES, PLAIN)
    assert (found.found, found.missing) == ({"a", "empty"}, {"nope", "b", "c"})


@pytest.mark.parametrize(
    "text", ["${x#" + "*a" * 2000 + "*b}", "${x%" + "a*" * 2000 + "b}", "${x//*?*a*b/c}", "$x" * 20]
)
def test_nothing_takes_long(text):
    begin = time.process_time()
    with contextlib.suppress(ExpansionError):  # its text would be too long
        expand(text, {"x": "a" * 100_000}, PLAIN)
    assert time.process_time() - begin < 2


@given(st.text("ab$${}{}:-+?#%/\\'\" *", max_size=30), st.booleans(), st.booleans())
def test_no_text_raises_anything_else(text, quotes, unset):
    with contextlib.suppress(ExpansionError):
        expand(text, {"a": "b*c", "b": ""}, Style(ignore_quotes=quotes, keep_unset=unset))


@given(st.text(st.characters(exclude_characters="$\\'\"", exclude_categories=["Cs"])))
def test_a_text_without_special_characters_stays(text):
    assert expand(text, {}, PLAIN).text == text
