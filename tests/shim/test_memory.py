"""What memory does to the processes behind a stack, and they to it."""

from __future__ import annotations

import os
from pathlib import Path

from orchestra.linux import capabilities, oom_score

MAY_LOWER = capabilities.held() >> capabilities.NUMBERS["CAP_SYS_RESOURCE"] & 1


def score(pid: int) -> str:
    return Path(f"/proc/{pid}/oom_score_adj").read_text().strip()


def test_the_processes_behind_a_stack_are_the_last_that_the_kernel_kills(stack):
    container = stack.container("sleep", "60")
    container.run()
    own, last = score(os.getpid()), oom_score.LAST.decode()
    first, shim = container.state().pid, container.shim.pid
    behind = {stack.fork_server.pid, *stack.children(), shim, *stack.children(shim)} - {first}
    assert len(behind) == 4  # with the supervisor and the zygote
    assert {score(pid) for pid in behind} == {last if MAY_LOWER else own}
    assert score(first) == own
    assert container.output_of("cat", "/proc/self/oom_score_adj") == (0, f"{own}\n")
