"""Finds the stack's name before its file is loaded, if it is obvious. Standard library only.

``up`` starts the fork server for this name while it loads the file. A wrong guess costs a process that ends at once, so
names that are not obvious (variables in the name, several files, settings in ``.env``) are left to the loader.
"""

from __future__ import annotations

import os
import re

from orchestra.regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context

FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_NAME = regex(r"^name:[ \t]*([\"']?)([A-Za-z0-9_-]+)\1[ \t]*(?:#.*)?$", re.MULTILINE)
_ANY_NAME = regex(r"^[\"']?name\b", re.MULTILINE)
_PLAIN = regex(r"[a-z0-9][a-z0-9_-]*")


def foresee_name(context: Context) -> str | None:
    project, environment = context.project, context.environment
    asked = project.name or environment.get("COMPOSE_PROJECT_NAME")
    if asked:
        return asked if _PLAIN.fullmatch(asked) else None
    if project.env_files or any(name in environment for name in ("COMPOSE_FILE", "COMPOSE_ENV_FILES")):
        return None
    if context.files:
        return None  # of another machine
    here = context.working_directory or os.getcwd()
    paths = project.files or [name for name in FILES if os.path.exists(os.path.join(here, name))]
    if len(paths) != 1:
        return None
    path = os.path.normpath(os.path.join(here, paths[0]))
    directory = os.path.normpath(os.path.join(here, project.directory or os.path.dirname(path)))
    if os.path.exists(f"{directory}/.env"):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return None  # the loader reports what is wrong with it
    found = _NAME.search(text)
    if found is None and _ANY_NAME.search(text):
        return None
    name = (found[2] if found else re.sub(r"[^A-Za-z0-9_-]", "", os.path.basename(directory))).lower().lstrip("_-")
    return name or None
