"""Lowering the score needs CAP_SYS_RESOURCE below what it was set to with it: above that it needs nothing."""

from __future__ import annotations

import subprocess
import sys

from orchestra.linux import oom_score

PROBE = """
from orchestra.linux import oom_score
from orchestra.container import privileges
from orchestra.container.description import ProcessDescription
score = lambda: open(oom_score.PATH).read().strip()
open(oom_score.PATH, "w").write("600")
before = score()
oom_score.LAST = {last!r}
oom_score.lower()
lowered = score()
privileges.prepare(ProcessDescription(("true",), **{process!r}), print)
print(before, lowered, score())
"""


def scores(last: bytes, process: dict) -> list[str]:
    code = PROBE.format(last=last, process=process)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_programs_have_the_score_that_was_given():
    assert scores(b"500", {}) == ["600", "500", "600"]


def test_programs_have_the_score_that_is_asked_for():
    assert scores(b"500", {"oom_score_adj": 700}) == ["600", "500", "700"]


def test_the_score_stays_where_it_may_not_be_lowered():
    with open(oom_score.PATH) as file:
        own = int(file.read())
    without = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    code = PROBE.format(last=str(own - 1).encode(), process={})
    done = subprocess.run([*without, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["600", "600", "600"]
