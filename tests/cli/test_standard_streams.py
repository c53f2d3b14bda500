"""A caller may have closed standard input, output or error: no file or socket of ours may get such a number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations

import pytest

PROBE = """
import json, os, subprocess, sys
from orchestra.__main__ import main
sys.argv[1:] = ["ls"]
try:
    main()
except SystemExit as ended:
    opened = os.open("/", os.O_RDONLY)
    there = [[os.readlink(f"/proc/self/fd/{number}") for number in range(3)], opened, ended.code]
    # What a child is given; the supervisor's launcher is one.
    child = "import json, os; print(json.dumps([os.readlink(f'/proc/self/fd/{n}') for n in (0, 2)]))"
    given = json.loads(subprocess.run([sys.executable, "-c", child], stdout=subprocess.PIPE).stdout)
    with open(sys.argv[0], "w") as report:
        json.dump([*there, given], report)
"""
NUMBERS = (0, 1, 2)
CLOSED = [closed for count in (1, 2, 3) for closed in combinations(NUMBERS, count)]


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_what_the_caller_has_closed_is_the_null_device(tmp_path, closed):
    (tmp_path / "probe.py").write_text(f"import sys\nsys.argv[0] = {f'{tmp_path}/report'!r}\n{PROBE}")
    redirections = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    script = f'exec "$0" "$1" {redirections}'
    command = ["sh", "-c", script, sys.executable, f"{tmp_path}/probe.py"]
    environment = os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/home"}
    with open(tmp_path / "written", "wb") as written:
        subprocess.run(command, env=environment, stdin=written, stdout=written, stderr=written, check=False)
    places, opened, code, given = json.loads((tmp_path / "report").read_text())
    expected = [os.devnull if number in closed else f"{tmp_path}/written" for number in NUMBERS]
    assert places == expected
    assert given == [expected[0], expected[2]]
    assert opened > max(NUMBERS)
    assert code == 0
    assert (tmp_path / "written").read_bytes() == (b"" if 1 in closed else b"NAME   STATUS   CONFIG FILES\n")
