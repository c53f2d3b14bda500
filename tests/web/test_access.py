"""Tokens, sessions, and the names that the page answers to."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.web.access import Keys, Role, make_door
from orchestra.web.serve import check_url, parse_listen


def test_a_token_opens_a_session_of_its_role():
    keys = Keys((Role.OPERATOR, Role.VIEWER))
    for role, token in keys.tokens.items():
        assert keys.role_of_token(token) is role
        assert keys.role_of_session(keys.open_session(role)) is role


@pytest.mark.parametrize("token", ["", "x", "é", "\udcff", "operator"])
def test_other_tokens_open_nothing(token):
    assert Keys((Role.OPERATOR,)).role_of_token(token.encode(errors="replace").decode()) is None


def test_a_viewer_cannot_make_a_session_of_an_operator_from_its_own():
    keys = Keys((Role.OPERATOR, Role.VIEWER))
    session = keys.open_session(Role.VIEWER)
    assert keys.role_of_session(session.replace("viewer", "operator")) is None


@pytest.mark.parametrize("session", ["", ".", "operator.1.", "operator", "a.b.c.d", "é.é.é"])
def test_what_was_not_signed_is_no_session(session):
    assert Keys((Role.OPERATOR,)).role_of_session(session) is None


def test_sessions_and_write_keys_are_of_one_process():
    one, other = Keys((Role.OPERATOR,)), Keys((Role.OPERATOR,))
    session = one.open_session(Role.OPERATOR)
    assert other.role_of_session(session) is None
    assert one.is_write_key(session, one.write_key(session))
    assert not one.is_write_key(session, other.write_key(session))
    assert not one.is_write_key(one.open_session(Role.OPERATOR), one.write_key(session))


def test_the_loopback_address_has_three_names_and_one_port():
    door = make_door("127.0.0.1", 7070)
    assert all(map(door.admits, ("127.0.0.1:7070", "LOCALHOST:7070", "[::1]:7070")))
    assert not any(
        map(door.admits, ("127.0.0.1", "127.0.0.1:7071", "evil.example:7070", "localhost.evil.example:7070", ""))
    )
    assert door.is_own("http://localhost:7070")
    assert not any(map(door.is_own, ("", "null", "https://localhost:7070", "http://localhost:7071")))


def test_behind_a_proxy_the_name_is_the_one_of_the_address_and_cookies_need_encryption():
    door = make_door("127.0.0.1", 7070, "https://Stack.example.com")
    assert door.admits("stack.example.com")
    assert door.is_own("https://stack.example.com")
    assert not door.is_own("http://stack.example.com")
    assert door.is_secure


def test_at_any_address_only_the_name_that_was_given_counts():
    door = make_door("0.0.0.0", 7070, "http://192.0.2.1:7070")
    assert door.hosts == {"192.0.2.1:7070"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("127.0.0.1", 0)),
        ("[::1]:7070", ("::1", 7070)),
    ],
)
def test_a_place_to_listen_at_is_an_address_and_a_port(text, place):
    assert parse_listen(text) == place


@pytest.mark.parametrize("text", ["", "host.example:80", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1:²"])
def test_anything_else_is_not(text):
    with pytest.raises(UserError, match="expected ADDRESS:PORT"):
        parse_listen(text)


@pytest.mark.parametrize("text", ["stack.example.com", "ftp://a", "https://", "https://a/b", "https://a?b=c"])
def test_the_address_of_a_proxy_is_that_of_a_whole_server(text):
    with pytest.raises(UserError, match="--url"):
        check_url(text)
