"""``ui`` on another machine, in a real terminal."""

from __future__ import annotations

import shutil

import pytest

from tests.examples.conftest import needs_containers
from tests.ssh.conftest import needs_ssh
from tests.tui.test_terminal import terminal

pytest.importorskip("textual")

pytestmark = [
    *needs_ssh,
    *needs_containers,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux must be installed"),
]
SHOP = """
name: shop
services:
  web: {image: "rootfs:BUSYBOX", command: [sh, -c, "echo hello from there; exec sleep 10000"], init: true}
"""


def test_a_stack_there_is_watched_and_changed_from_here(write_remote_stack, tmp_path):
    shop = write_remote_stack(SHOP, name="shop")
    shop.run("up", "-d")
    screens = tmp_path / "screens"
    screens.mkdir()
    with terminal(shop, screens, 80, 24) as shown:
        shown.shows("▾ shop", "web", "running")
        shown.tmux("resize-window", "-x", "100", "-y", "30")
        shown.press("Down", "Down", "x")
        shown.shows("/ #")
        shown.press("echo in $(hostname); stty size", "Enter")
        shown.shows("in shop-web-1", "30 100")
        shown.press("C-d")
        shown.shows("▾ shop")
        shown.press("Enter")
        shown.shows("hello from there")
        shop.file.unlink()  # it was sent
        shown.press("1", "e")
        shown.shows("are on the machine that ui was started")
        shown.press("c")
        shown.shows("How many containers of web?")
        shown.press("BSpace", "2", "Enter")
        shown.shows("web has 2 containers", "2 running")
        shown.press("u")
        shown.shows("web is scaled to 1")
        shown.press("y")
        shown.shows("shop is as its file says")
        shown.press("s")
        shown.shows("Stop web of shop?")
        shown.press("y")
        shown.shows("exited")
        shown.press("q")
        shown.shows("ended with 0")
