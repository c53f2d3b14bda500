"""Which page has what generated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.reference import (
    attributes,
    commands,
    compose_flags,
    engine_api,
    environment,
    exit_codes,
    files,
    metrics,
    python_api,
    reachability,
    readme,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"

PAGES: dict[Path, Callable[[str], str]] = {
    FOLDER / "commands.md": commands.renew,
    FOLDER / "compose-attributes.md": attributes.renew,
    FOLDER / "docker-compose-options.md": compose_flags.renew,
    FOLDER / "engine-api.md": engine_api.renew,
    FOLDER / "exit-codes.md": exit_codes.renew,
    FOLDER / "environment.md": environment.renew,
    FOLDER / "files.md": files.renew,
    FOLDER / "metrics.md": metrics.renew,
    FOLDER / "python-api.md": python_api.renew,
    FOLDER / "reachability.md": reachability.renew,
    ROOT / "README.md": readme.renew,
}
"""Each takes the page and gives it back with its generated parts made anew."""
