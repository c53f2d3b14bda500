"""Words of the OCI runtime specification for processors, ids and owners of processes."""

from __future__ import annotations

import os

import pytest

from orchestra.linux import namespaces, process, scheduling, user_namespace
from orchestra.linux.syscall import SystemCallError
from tests.forking import fork

MAPS = [{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 100000, "size": 10}]


@pytest.mark.parametrize(
    ("text", "processors"), [("0", {0}), ("0-3", {0, 1, 2, 3}), ("1,3-4", {1, 3, 4}), (" 2 , 5 ", {2, 5})]
)
def test_lists_of_processors(text, processors):
    assert scheduling.parse_processors(text) == processors


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1,,2", "1-b"])
def test_what_is_no_list_of_processors(text):
    with pytest.raises(SystemCallError, match="not a list of processors"):
        scheduling.parse_processors(text)


@pytest.mark.parametrize(("number", "outside"), [(0, 1000), (1, 100000), (10, 100009), (11, None)])
def test_who_an_id_is_outside(number, outside):
    assert user_namespace.to_host(MAPS, number) == outside


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to write maps")
def test_a_namespace_has_the_maps_it_was_made_with():
    fd = user_namespace.make(MAPS, MAPS)
    pid = fork()
    if pid == 0:
        code = 1
        try:
            namespaces.setns(fd, namespaces.CLONE_NEWUSER)
            user_namespace.become_root()
            code = 2 if user_namespace.is_initial() else 0
        finally:
            os._exit(code)
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert namespaces.is_ours("user", os.getpid())


def test_a_sibling_is_a_child_of_our_parent():
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            sibling = process.fork_sibling(0)
            if sibling == 0:
                os._exit(7)
            os.write(writer, str(sibling).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    sibling = int(os.read(reader, 16))
    for fd in (reader, writer):
        os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(sibling, 0)[1]) == 7
