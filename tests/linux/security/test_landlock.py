from __future__ import annotations

import subprocess
import sys

import pytest

from orchestra.linux.syscall import raw

PROGRAM = """
import os, sys
from orchestra.linux import process
from orchestra.linux.security import landlock
readable, other = sys.argv[1:]
process.prctl(process.PR_SET_NO_NEW_PRIVS, 1)
assert landlock.read_only([readable, readable + "/missing"])
print(os.listdir(readable), open(readable + "/file").read())
for attempt in (
    lambda: open(readable + "/file", "w"),
    lambda: os.mkdir(readable + "/new"),
    lambda: os.unlink(readable + "/file"),
    lambda: open(other + "/file"),
    lambda: os.listdir(other),
    lambda: os.execv(sys.executable, ["python"]),
):
    try:
        attempt()
    except PermissionError as error:
        print(error.errno)
"""


@pytest.mark.skipif(raw(444, None, 0, 1) < 0, reason="needs a kernel with Landlock")
def test_a_confined_process_reads_what_it_may_and_does_nothing_else(tmp_path):
    for name in ("readable", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "readable"), str(tmp_path / "other")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n"), done.stderr) == (["['file'] text", *["13"] * 6, ""], "")
