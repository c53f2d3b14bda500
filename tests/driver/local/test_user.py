"""``user:`` as Docker reads it: numbers are ids, names must be known, groups come by membership or by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.driver.local.user import User, resolve_user
from orchestra.errors import FatalError

PASSWD = """\
root:x:0:0:root:/root:/bin/sh

adm:x:42:43:adm:/var/adm:/bin/false
app:x:1000:1000::/home/app:/bin/sh
twin:x:1000:2000::/home/twin:/bin/sh
7:x:700:701:a number for a name:/seven:/bin/sh
homeless:x:8:8
odd:x:9:9::relative/home:/bin/sh
broken:x:no:number::/broken:
+::::::
"""
GROUP = """\
root:x:0:root
adm:x:43:
app:x:1000:
wheel:x:10:app, adm
video:x:44:app
dup:x:44:
wheel:x:99:nobody
nogid:x::app
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", User(0, 0, (0,), "/root"), id="nothing is root"),
        pytest.param("root", User(0, 0, (0,), "/root"), id="a name"),
        pytest.param("0", User(0, 0, (0,), "/root"), id="a number that has an entry"),
        pytest.param("app", User(1000, 1000, (1000, 10, 44), "/home/app"), id="supplementary groups by membership"),
        pytest.param("1000", User(1000, 1000, (1000, 10, 44), "/home/app"), id="a number finds its name's groups"),
        pytest.param("twin", User(1000, 2000, (2000,), "/home/twin"), id="a name with a shared uid keeps its own line"),
        pytest.param("adm", User(42, 43, (43, 10), "/var/adm"), id="spaces in a group's list do not count"),
        pytest.param("1234", User(1234, 0, (0,), "/"), id="a number without an entry has group 0"),
        pytest.param("7", User(7, 0, (0,), "/"), id="a number is never a name"),
        pytest.param("app:video", User(1000, 44, (44,), "/home/app"), id="a group named leaves no others"),
        pytest.param("app:wheel", User(1000, 10, (10,), "/home/app"), id="the first of two groups counts"),
        pytest.param("app:555", User(1000, 555, (555,), "/home/app"), id="a group number without an entry"),
        pytest.param("1234:555", User(1234, 555, (555,), "/"), id="two numbers"),
        pytest.param("1234:video", User(1234, 44, (44,), "/"), id="a number and a name"),
        pytest.param("app:", User(1000, 1000, (1000, 10, 44), "/home/app"), id="an empty group is none"),
        pytest.param(":video", User(0, 44, (44,), "/root"), id="a group alone is root's"),
        pytest.param("homeless", User(8, 8, (8,), "/"), id="no home directory"),
        pytest.param("odd", User(9, 9, (9,), "/"), id="a home that is no absolute path"),
    ],
)
def test_a_user_is_resolved(text, expected):
    assert resolve_user(text, PASSWD, GROUP) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("nobody", "user 'nobody' does not exist in the image", "/etc/passwd"),
        ("broken", "user 'broken' does not exist in the image", "/etc/passwd"),
        ("app:nogroup", "group 'nogroup' does not exist in the image", "/etc/group"),
        ("app:nogid", "group 'nogid' does not exist in the image", "/etc/group"),
        ("-1", "user -1 is out of range", "from 0 to 2147483647"),
        ("2147483648", "user 2147483648 is out of range", "from 0 to 2147483647"),
        ("0:4294967295", "group 4294967295 is out of range", "from 0 to 2147483647"),
    ],
)
def test_what_is_unknown_is_named(text, message, hint):
    with pytest.raises(FatalError) as caught:
        resolve_user(text, PASSWD, GROUP)
    assert caught.value.message == message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "additional", "groups"),
    [
        ("1234", ("video", "77"), (0, 44, 77)),
        ("app", ("10", "555"), (1000, 10, 44, 555)),
        ("app:video", ("wheel",), (44, 10)),
    ],
)
def test_groups_are_added_without_repetition(text, additional, groups):
    assert resolve_user(text, PASSWD, GROUP, additional=additional).groups == groups


def test_an_added_group_must_be_known():
    with pytest.raises(FatalError, match="group 'nogroup'"):
        resolve_user("", PASSWD, GROUP, additional=("nogroup",))


def test_an_image_without_the_files_knows_numbers_only():
    assert resolve_user("", "", "") == User(0, 0, (0,), "/")
    assert resolve_user("5:6", "", "") == User(5, 6, (6,), "/")
    with pytest.raises(FatalError):
        resolve_user("root", "", "")


@given(st.text(), st.text(), st.text())
def test_whatever_the_files_hold_there_is_a_user_or_a_word_on_why_not(text, passwd, group):
    try:
        user = resolve_user(text, passwd, group)
    except FatalError:
        return
    assert user.groups[0] == user.gid
    assert user.uid >= 0
    assert user.home.startswith("/")
