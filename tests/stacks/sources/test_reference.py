"""How a Compose file elsewhere is named."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.stacks.sources.reference import GitSource, OciSource, parse_source

COMMIT = "0123456789012345678901234567890123456789"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("oci://localhost:5000/team/shop:1", OciSource("localhost:5000/team/shop:1")),
        ("https://h/a/shop.git", GitSource("https://h/a/shop.git", "https")),
        ("https://h/shop.git#main", GitSource("https://h/shop.git", "https", "main")),
        ("https://h/shop.git#main:a/b.yaml", GitSource("https://h/shop.git", "https", "main", "a/b.yaml")),
        ("https://h/shop.git#:a/", GitSource("https://h/shop.git", "https", "", "a")),
        (
            "http://127.0.0.1:8080/shop.git#pull/42/head",
            GitSource("http://127.0.0.1:8080/shop.git", "http", "pull/42/head"),
        ),
        ("ssh://git@h:22/shop#v1.0", GitSource("ssh://git@h:22/shop", "ssh", "v1.0")),
        ("git@h.example:a/shop.git#v1:x", GitSource("git@h.example:a/shop.git", "ssh", "v1", "x")),
        ("github.com/a/shop#main", GitSource("https://github.com/a/shop", "https", "main")),
        ("https://github.com/a/shop", GitSource("https://github.com/a/shop", "https")),
        (f"git://h/shop.git#{COMMIT}", GitSource("git://h/shop.git", "git", COMMIT)),
    ],
)
def test_a_source_is_read(text, source):
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "text",
    [
        *("file:///etc", "ext://sh", "ftp://h/x.git", "https://h/compose.yaml", "https:///x.git", "https://-h/x.git"),
        *(
            "https://h/x.git#",
            "https://h/x.git#-x",
            "https://h/x.git#a..b",
            "https://h/x.git#a@{1}",
            "https://h/x.git#a*",
        ),
        *("https://h/x.git#main:/etc", "https://h/x.git#main:../x", "https://h/x.git#main:a/../../x"),
        *("https://h/x.git#main:.git/config", "https://h/x.git?ref=main", "https://h:port/x.git", "https://h/x y.git"),
        *("git@-oProxyCommand=x:y", "ssh://-oProxyCommand=x/y", "https://h/x.git\x1b[0m", "git@h"),
    ],
)
def test_what_could_mean_something_else_is_refused(text):
    with pytest.raises(UserError):
        parse_source(text)


def test_passwords_are_not_shown():
    with pytest.raises(UserError) as refused:
        parse_source("https://me:secret@h/x")
    assert "secret" not in refused.value.message
    source = parse_source("https://token@h/shop.git#main:a")
    assert isinstance(source, GitSource)
    assert source.at(COMMIT) == f"https://h/shop.git#{COMMIT}:a"
    assert source.url == "https://token@h/shop.git"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/Shop.git", "Shop"),
        ("git@h:shop.git", "shop"),
        ("https://h/a/..git", "stack"),
        ("ssh://h/a b", "ab"),
    ],
)
def test_a_stack_is_called_by_its_repository(url, name):
    assert GitSource(url, "https").repository == name
