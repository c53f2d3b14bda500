"""Stacks written to a directory of their own, loaded as the command would."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from orchestra.cli.render.diagnostics import render_diagnostics
from orchestra.compose import LoadRequest, load
from orchestra.driver.local.unsupported import UNSUPPORTED
from orchestra.errors import ComposeError
from orchestra.record import replace

if TYPE_CHECKING:
    from pathlib import Path

    from orchestra.compose import Loaded


class Folder:
    """A project directory called ``shop``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, text: str) -> str:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def request(self, text: str | None = None, **changes: object) -> LoadRequest:
        if text is not None:
            self.write("compose.yaml", text)
        request = LoadRequest({"HOME": "/home/me"}, str(self.path), unsupported=UNSUPPORTED)
        return replace(request, **changes)

    def load(self, text: str | None = None, **changes: object) -> Loaded:
        return load(self.request(text, **changes))

    def refused(self, text: str | None = None, **changes: object) -> str:
        """What the user reads when the stack is refused."""
        with pytest.raises(ComposeError) as caught:
            self.load(text, **changes)
        return render_diagnostics(caught.value.diagnostics, color=False, directory=os.fspath(self.path))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "shop"
    path.mkdir()
    return Folder(path)
