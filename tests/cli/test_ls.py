"""``ls`` names the stacks of this home with what their containers do, for any user."""

from __future__ import annotations

import json
import os

import pytest

from tests.cli.conftest import ByHand


def test_a_home_without_stacks(home, orchestra):
    assert orchestra("ls") == (0, "NAME   STATUS   CONFIG FILES\n", "")
    assert orchestra("ls", "-q") == (0, "", "")
    assert orchestra("ls", "--format", "json") == (0, "[]\n", "")


def test_running_stacks_with_all_they_are_made_from(home, orchestra):
    shop = ByHand(home, "shop")
    shop.want(config_files=["/srv/shop/compose.yaml", "/srv/shop/more.yaml"])
    for index in (1, 2):
        shop.run(shop.create("web", index))
    db = shop.create("db")
    shop.run(db)
    shop.exit(db)
    old = ByHand(home, "old")
    old.want(config_files=["/srv/old/compose.yaml"])
    name = old.create("web")
    old.run(name)
    old.exit(name, 1)
    asked = ByHand(home, "asked")
    asked.want()
    ByHand(home, "nothing")
    assert orchestra("ls")[1] == (
        "NAME   STATUS       CONFIG FILES\nshop   running(2)   /srv/shop/compose.yaml,/srv/shop/more.yaml\n"
    )
    assert orchestra("ls", "-a")[1] == (
        "NAME    STATUS                  CONFIG FILES\n"
        "asked\n"
        "old     exited(1)               /srv/old/compose.yaml\n"
        "shop    exited(1), running(2)   /srv/shop/compose.yaml,/srv/shop/more.yaml\n"
    )
    assert orchestra("ls", "-aq")[1] == "asked\nold\nshop\n"
    assert json.loads(orchestra("ls", "--format", "json")[1]) == [
        {
            "Name": "shop",
            "Status": "running(2)",
            "ConfigFiles": "/srv/shop/compose.yaml,/srv/shop/more.yaml",
        }
    ]


def test_stacks_by_a_pattern_and_a_template(home, orchestra):
    for name in ("shop", "shop-test", "blog"):
        ByHand(home, name).want(config_files=[f"/srv/{name}.yaml"])
    assert orchestra("ls", "-aq", "--filter", "name=shop")[1] == "shop\nshop-test\n"
    assert orchestra("ls", "-aq", "--filter", "name=^shop$", "--filter", "name=b.o")[1] == "blog\nshop\n"
    assert orchestra("ls", "-a", "--format", "{{.Name}}={{.ConfigFiles}}")[1].splitlines()[0] == "blog=/srv/blog.yaml"
    shown = orchestra("ls", "-a", "--filter", "name=blog", "--format", r"table {{upper .Name}}\t{{.ConfigFiles}}")[1]
    assert shown == "NAME   CONFIG FILES\nBLOG   /srv/blog.yaml\n"
    for filter in ("status=running", "name", "name=("):
        code, out, error = orchestra("ls", "--filter", filter)
        assert (code, out) == (1, "")
        assert f"--filter {filter}: " in error


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else for a while")
def test_a_home_that_is_not_for_this_user_to_see(home, orchestra):
    stack = ByHand(home, "shop")
    stack.want()
    os.chmod(home.stacks_run, 0o700)
    os.seteuid(65534)
    try:
        code, _, error = orchestra("ls")
    finally:
        os.seteuid(0)
    assert code != 0
    assert "this user cannot read" in error
    assert "sudo" in error
