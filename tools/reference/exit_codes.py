"""The table of exit codes, with the numbers that the program uses."""

from __future__ import annotations

from orchestra.cli.exit_codes import (
    BROKEN_PIPE,
    CONVERGING,
    DOWN,
    EDIT_REFUSED,
    INTERRUPTED,
    NOT_AS_IT_SHOULD_BE,
)
from orchestra.cli.plan import CHANGES
from orchestra.cli.usage import USAGE
from orchestra.errors import ComposeError, ComposeFileNotFound, DockerfileError, OrchestraError, Unreachable
from orchestra.stacks.exec import NOT_EXECUTABLE, NOT_FOUND
from tools.reference import marks

MEANINGS: dict[int, str] = {
    0: "success",
    OrchestraError.exit_code: "failure; the message on standard error says what failed, why, and what to do",
    CHANGES: "`plan` only: `up` would change something, and nothing is known to fail (otherwise 1)",
    CONVERGING: "`status`: not everything is as it should be yet, and it is on the way",
    NOT_AS_IT_SHOULD_BE: "`status`: something has failed, is unhealthy or paused, or no supervisor is running",
    EDIT_REFUSED: "`status`: the files are followed, and their last edit was not applied",
    DOWN: "`status`: the stack is down",
    ComposeFileNotFound.exit_code: "no Compose file was found, or one given with `-f` does not exist",
    ComposeError.exit_code: "the Compose file is wrong; every problem is shown at its place: see [errors](errors.md)",
    DockerfileError.exit_code: "the Dockerfile or `.dockerignore` is wrong; every problem is shown at its place",
    Unreachable.exit_code: "`--host`: the other machine cannot be reached, no fitting Orchestra answers there, or the "
    "connection was lost",
    USAGE: "the command line is not valid",
    NOT_EXECUTABLE: "`exec`: the program exists but cannot be executed",
    NOT_FOUND: "`exec`: the container has no such program",
    INTERRUPTED: "interrupted by Ctrl-C; `up` in the foreground also by SIGTERM, once everything has been stopped",
    BROKEN_PIPE: "the reader of the output is gone, as in `orchestra logs | head`",
}


def renew(page: str) -> str:
    rows = [(str(code), meaning) for code, meaning in sorted(MEANINGS.items())]
    return marks.replace(page, "exit codes", marks.table(("code", "meaning"), rows))


def of_errors() -> set[int]:
    """The exit codes of all classes of errors that are loaded."""
    classes, found = [OrchestraError], set()
    while classes:
        one = classes.pop()
        found.add(one.exit_code)
        classes += one.__subclasses__()
    return found
