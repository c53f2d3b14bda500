"""The picture of ``orchestra ui`` in the documentation: of a stack that runs, driven by keys.

    python -m tools.dashboard

writes ``docs/screenshots/dashboard.svg``. It needs root, like every command that makes containers.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestra.home import Home
from orchestra.model.project import Project
from orchestra.stacks.containers import find_stack
from orchestra.stacks.context import Context
from orchestra.tui.app import Dashboard

PICTURE = Path(__file__).parents[1] / "docs" / "screenshots" / "dashboard.svg"
SIZE = (100, 24)
SECONDS = 12
"""As long as it is watched: the plots of the last ten seconds are full then."""
STACK = """
name: shop
services:
  db:
    image: "rootfs:/"
    command: [sh, -c, "touch /tmp/ready; while sleep 0.2; do head -c 3000000 /dev/urandom | sha256sum; done"]
    healthcheck: {test: [CMD, test, -e, /tmp/ready], interval: 1s}
    stop_signal: SIGKILL
  web:
    image: "rootfs:/"
    depends_on: {db: {condition: service_healthy}}
    command: [python3, -m, http.server, "80", --directory, /tmp]
    ports: ["127.0.0.1::80"]
    stop_signal: SIGKILL
  cache: {image: "rootfs:/", command: [sleep, infinity], mem_limit: 64m, stop_signal: SIGKILL}
  worker:
    image: "rootfs:/"
    command: [sh, -c, "while sleep 1; do head -c 9000000 /dev/zero | gzip -9 | wc -c; done"]
    scale: 3
    stop_signal: SIGKILL
  migrate: {image: "rootfs:/", command: [sh, -c, "echo 'no such table: orders'; exit 3"]}
"""
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Textual's pictures name fonts on other machines: a page shows them with a font that the reader has."""


async def _watch(context: Context) -> str:
    app = Dashboard(context, own=find_stack(context))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(SECONDS / 2)
        await pilot.press("end")
        await pilot.pause(SECONDS / 2)
        return app.export_screenshot(title="orchestra ui", simplify=True)


def draw() -> str:
    with tempfile.TemporaryDirectory(prefix="orchestra-") as place:
        file = Path(place, "shop", "compose.yaml")
        file.parent.mkdir()
        file.write_text(STACK)
        environment = os.environ | {"ORCHESTRA_HOME": f"{place}/home"}
        command = [sys.executable, "-m", "orchestra", "-f", str(file)]
        home = Home(f"{place}/home/data", f"{place}/home/run")
        context = Context(home, "local", Project(files=(str(file),)), environment, str(file.parent))
        try:
            subprocess.run([*command, "up", "-d"], env=environment, check=True)
            shown = asyncio.run(_watch(context))
        finally:
            subprocess.run([*command, "down", "-t", "0"], env=environment, check=True)
    return _FONTS.sub("", shown).replace(place, "/srv")


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
