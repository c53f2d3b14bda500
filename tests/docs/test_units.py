"""The units that pages tell readers to write are those that systemd takes without a complaint."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .page import File, read_page

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "how-to").glob("*.md"))
UNIT = re.compile(r"etc/systemd/system/[\w@-]+\.(service|socket|timer)")
UNITS = {
    (page.stem, Path(step.path).name): step.text
    for page in PAGES
    for step in read_page(page.read_text())
    if isinstance(step, File) and UNIT.fullmatch(step.path)
}
"""By the page and the name of the unit."""


def test_the_units_of_both_servers_are_there():
    assert {name for _page, name in UNITS} >= {
        "orchestra-api.socket",
        "orchestra-api.service",
        "orchestra-metrics.service",
    }


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze (Debian: systemd)")
@pytest.mark.parametrize("page", sorted({page for page, _name in UNITS}))
def test_systemd_takes_the_units_of_a_page(page, tmp_path):
    program = tmp_path / "orchestra"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    paths = []
    for (of, name), text in UNITS.items():
        if of == page:
            paths.append(tmp_path / name)
            paths[-1].write_text(re.sub(r"(?m)^(Exec\w+=)\S*/orchestra\b", rf"\g<1>{program}", text))
    verify = ["systemd-analyze", "verify", "--man=no", *map(str, paths)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "orchestra" in line]
    assert (ours, done.returncode) == ([], 0), done.stderr
