"""What memory does to the processes behind a stack, and they to it."""

from __future__ import annotations

import os
from pathlib import Path

from orchestra.linux import oom_score
from orchestra.linux.security import capabilities

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


def anonymous(pid: int) -> int:
    """Kilobytes of memory that are the process's own, and no file's."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


def test_nothing_of_a_run_that_is_over_stays_in_the_process_of_the_shims(stack):
    """Not even until its objects, which refer to each other, are collected."""
    stays = stack.container("sleep", "60", name="stays")
    stays.run()
    shim = stays.shim.pid
    note = {"note": "x" * 300_000}
    go = [stack.container("sleep", "60", name=f"goes-{number}", annotations=note) for number in range(15)]

    def live() -> int:
        for container in go:
            container.run()
        for container in go:
            container.delete()
            container.wait()
        return anonymous(shim)

    before = anonymous(shim)
    after = [live() for _ in range(4)]
    assert after[-1] - before < 9_000, after  # of 18,000; the allocator may keep what 15 containers took at once
    assert stays.shim.pid == shim
