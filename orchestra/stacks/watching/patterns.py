"""Which files below the path of a rule it is about. Pure.

Source: the Compose Develop Specification, "watch", and https://docs.docker.com/compose/how-tos/file-watch/.
"""

from __future__ import annotations

import posixpath

from orchestra.build.ignore import parse_ignore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.watch import WatchRule

ALWAYS_IGNORED = """
**/.git
**/.idea
**/*~
**/4913
**/.*.sw[a-z]
**/.#*
**/#*#
**/*___jb_tmp___
**/*___jb_old___
"""
"""Git's own directory, and files that editors (Vim, Emacs, JetBrains' and others) keep beside the edited one."""


class Patterns:
    """Answers for paths relative to the rule's path, with ``/``; empty for the path itself."""

    def __init__(self, rule: WatchRule, docker_ignore: str) -> None:
        """docker_ignore: the text of the ``.dockerignore`` file of the service's build, of the rule's context.

        Raises DockerfileError for a pattern that is not valid.
        """
        self._ignored = (parse_ignore(ALWAYS_IGNORED), parse_ignore("\n".join(rule.ignore), "ignore"))
        self._included = parse_ignore("\n".join(rule.include), "include") if rule.include else None
        self._build = parse_ignore(docker_ignore) if docker_ignore and rule.context else None
        self._in_context = posixpath.relpath(rule.path, rule.context) if rule.context else ".."

    def covers(self, path: str) -> bool:
        """Whether a change of this file or directory is for the rule."""
        if not path:
            return True
        if any(patterns.is_ignored(path) for patterns in self._ignored):
            return False
        if self._included is not None and not self._included.is_ignored(path):
            return False
        below = self._below_context(path)
        return below is None or self._build is None or not self._build.is_ignored(below)

    def may_enter(self, path: str) -> bool:
        """Whether this directory may hold anything that the rule covers."""
        if not path:
            return True
        if any(patterns.is_ignored(path) and not patterns.may_contain(path) for patterns in self._ignored):
            return False
        below = self._below_context(path)
        if below is None or self._build is None:
            return True
        return not self._build.is_ignored(below) or self._build.may_contain(below)

    def _below_context(self, path: str) -> str | None:
        below = posixpath.normpath(f"{self._in_context}/{path}")
        return None if below.split("/", 1)[0] == ".." else below
