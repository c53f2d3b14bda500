"""The zygote by itself."""

from __future__ import annotations

import json
import os
import time

from orchestra.container.directory import ContainerDirectory
from orchestra.linux import cgroup, process
from orchestra.shim.shim import let_go
from orchestra.shim.zygote import Zygote


def test_who_a_first_process_is_comes_before_what_it_says(stack, monkeypatch):
    """Also when the zygote gets no processor for a while once it has forked it."""

    def fork_and_pause(*args):
        pid = fork_sibling(*args)
        if pid:
            time.sleep(0.3)
        return pid

    fork_sibling = process.fork_sibling
    monkeypatch.setattr(process, "fork_sibling", fork_and_pause)
    container = stack.container("true")
    group = cgroup.at(container.config["linux"]["cgroupsPath"], owner=container.directory)
    group.create({})
    zygote = Zygote(let_go)
    with zygote.fork(ContainerDirectory(container.directory), group) as channel:
        first = json.loads(channel.recv(4096))["process"]
        assert process.parent(first) == os.getpid()
        assert json.loads(channel.recv(4096))["error"]["path"] == "stdout"  # the shim would have made it
    os.waitpid(first, 0)
    forking = zygote.pid
    zygote.ended()
    assert os.waitpid(forking, 0)[1] == 0
    group.remove()
