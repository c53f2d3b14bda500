"""The page of what Docker Compose's command line has and Orchestra's has not. A test holds that the list is complete.

The facts are names only: ``tests/cli/compose-5.5.json`` has every command, visible option and variable of Docker
Compose 5.5, and variables of podman-compose.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestra.cli.table import ALIASES, COMMANDS, GLOBAL
from tools.reference import marks

FACTS = Path(__file__).parents[2] / "tests" / "cli" / "compose-5.5.json"


def options() -> dict[str, list[str]]:
    """Visible ones by command; global ones under ``compose``."""
    found: dict[str, list[str]] = _facts()["options"]
    return found


def variables() -> list[str]:
    found: list[str] = _facts()["variables"]
    return found


def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8"))
    return facts


def options_by_command() -> dict[str, frozenset[str]]:
    """Of Orchestra, also the hidden ones; global ones under ``compose``."""
    found = {command.name: command.options for command in COMMANDS} | {"compose": GLOBAL}
    found |= {older: found[name] for older, name in ALIASES.items()}
    return {name: frozenset(flag for option in own for flag in option.flags) for name, own in found.items()}


def missing_options() -> dict[str, list[str]]:
    """Of commands that both have, in alphabetical order."""
    ours = options_by_command()
    found = {
        name: [flag for flag in flags if flag not in ours[name]] for name, flags in options().items() if name in ours
    }
    return {name: flags for name, flags in found.items() if flags}


def missing_commands() -> list[str]:
    """Those without commands of their own, but for the experiments of ``alpha``."""
    ours = options_by_command()
    return [name for name in options() if name not in ours and not name.startswith(("alpha", "bridge "))]


def renew(page: str) -> str:
    return marks.replace(page, "missing commands", ", ".join(f"`{name}`" for name in missing_commands()) + ".")
