"""The stack's name before its file is loaded, when that is plain to see. Standard library only.

``up`` starts the fork server for this name while it loads the file. A wrong guess costs a process that ends at once, so
what is not plain (variables in the name, several files, settings in ``.env``) is left to the loader.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation

FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_NAME = re.compile(r"^name:[ \t]*([\"']?)([A-Za-z0-9_-]+)\1[ \t]*(?:#.*)?$", re.MULTILINE)
_ANY_NAME = re.compile(r"^[\"']?name\b", re.MULTILINE)
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*")


def foresee_name(invocation: Invocation) -> str | None:
    shared = invocation.shared
    asked = shared["project_name"] or os.environ.get("COMPOSE_PROJECT_NAME")
    if asked:
        return asked if _PLAIN.fullmatch(asked) else None
    if shared["env_files"] or any(name in os.environ for name in ("COMPOSE_FILE", "COMPOSE_ENV_FILES")):
        return None
    paths = shared["files"] or [name for name in FILES if os.path.exists(name)]
    if len(paths) != 1:
        return None
    path = os.path.abspath(paths[0])
    directory = os.path.abspath(shared["project_directory"] or os.path.dirname(path))
    if os.path.exists(f"{directory}/.env"):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return None  # the loader says what is wrong with it
    found = _NAME.search(text)
    if found is None and _ANY_NAME.search(text):
        return None
    name = (found[2] if found else re.sub(r"[^A-Za-z0-9_-]", "", os.path.basename(directory))).lower().lstrip("_-")
    return name or None
