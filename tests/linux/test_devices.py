"""Nodes of the host, by their numbers: what is bound where no node may be made."""

from __future__ import annotations

import os
import stat

from orchestra.linux.devices import find_node


def test_a_node_is_found_by_its_numbers_whatever_it_is_called():
    assert find_node(stat.S_IFCHR, os.makedev(1, 3)) == "/dev/null"
    assert find_node(stat.S_IFCHR, os.makedev(1, 5)) == "/dev/zero"


def test_there_is_no_node_of_another_kind_or_number():
    assert find_node(stat.S_IFBLK, os.makedev(1, 3)) == ""
    assert find_node(stat.S_IFCHR, os.makedev(4095, 3)) == ""
