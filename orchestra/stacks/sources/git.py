"""Fetches the files of a commit with the ``git`` program, without prompts and with time limits.

git runs in its own session, so it cannot prompt on the terminal, and all of its helpers end with it. It may use the
protocol of the address and no other, so that no redirect leads to a local file or a command.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

from orchestra.errors import EnvironmentLack, UserError
from orchestra.record import Record
from orchestra.stacks.sources.copies import short_digest
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.stacks.sources.copies import Copies
    from orchestra.stacks.sources.reference import GitSource

FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OF_ANOTHER_REPOSITORY = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "COMMON_DIR", "INDEX_FILE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
        *("NAMESPACE", "CONFIG_PARAMETERS"),
    )
)


class Patience(Record):
    """Seconds. question: to resolve the commit; fetch: for all of its files; silence: with less than ``rate`` bytes
    a second.
    """

    question: int = 60
    fetch: int = 600
    silence: int = 30
    rate: int = 1024


class Commit(Record):
    """folder: its files."""

    id: str
    folder: str


def fetch_commit(
    source: GitSource, copies: Copies, environment: Mapping[str, str], patience: Patience | None = None
) -> Commit:
    """Raises UserError for a repository or ref that cannot be fetched, and EnvironmentLack without ``git``."""
    git = _Git(source, environment, patience or Patience())
    commit, wanted = (source.ref, source.ref) if source.is_pinned else git.resolve()

    def place(commit: str) -> str:
        return f"git/{short_digest(source.public_url)}/{commit}/{source.repository}"

    folder = copies.find(place(commit))
    if folder is None:
        folder = copies.keep(place(commit), lambda folder: git.check_out(folder, wanted, commit))
    return Commit(commit, folder)


def find_file(source: GitSource, folder: str) -> str:
    """The Compose file of a source, among the files of its commit. Raises UserError if there is none."""
    path = os.path.join(folder, source.path) if source.path else folder
    if os.path.isdir(path):
        path = next((each for name in FILES if os.path.isfile(each := os.path.join(path, name))), path)
    if not os.path.isfile(path):
        where = source.path or "its root"
        hint = f"name one after the colon, or have one of {', '.join(FILES)} there"
        raise UserError(f"{source.public_url} has no Compose file at {where}", hint=hint)
    return path


class _Git:
    def __init__(self, source: GitSource, environment: Mapping[str, str], patience: Patience) -> None:
        self._source = source
        self._patience = patience
        self._environment = _quiet(source, environment)

    def resolve(self) -> tuple[str, str]:
        """The current commit of the ref, and the ref's full name. The order is that of git, gitrevisions(7)."""
        ref = self._source.ref or "HEAD"
        names = [ref] if ref == "HEAD" or ref.startswith("refs/") else []
        names = names or [f"refs/{ref}", f"refs/tags/{ref}", f"refs/heads/{ref}"]
        asked = [each for name in names for each in (name, f"{name}^{{}}")]
        said = self._run(["ls-remote", "--quiet", "--", self._source.url, *asked], self._patience.question)
        found: dict[str, str] = {}
        for line in said.splitlines():
            commit, _, name = line.partition("\t")
            found[name] = commit
        for name in names:
            commit = found.get(f"{name}^{{}}") or found.get(name, "")
            if len(commit) in (40, 64) and not set(commit) - set("0123456789abcdef"):
                return commit, name
        if not self._source.ref:
            raise UserError(f"{self._source.public_url} has no default branch", hint="name a branch or tag after #")
        hint = "name a branch, a tag, or a whole commit of 40 digits after #"
        raise UserError(f"{self._source.public_url} has no branch or tag {ref}", hint=hint)

    def check_out(self, folder: str, wanted: str, commit: str) -> None:
        """Write the files of the commit. wanted: the ref that leads to it, or itself."""
        self._run(["init", "--quiet", "--template=", folder], self._patience.question)
        options = ["--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"]
        self._run(["-C", folder, "fetch", *options, "--", self._source.url, wanted], self._patience.fetch)
        got = self._run(["-C", folder, "rev-parse", "--verify", "FETCH_HEAD^{commit}"], self._patience.question).strip()
        if got != commit:  # the ref has moved since it was resolved
            self._run(["-C", folder, "fetch", *options, "--", self._source.url, commit], self._patience.fetch)
        self._run(["-C", folder, "checkout", "--quiet", "--force", "--detach", commit], self._patience.fetch)
        shutil.rmtree(f"{folder}/.git")
        drop_escaping_links(folder)

    def _run(self, arguments: list[str], seconds: int) -> str:
        settings = [
            "-c",
            f"http.lowSpeedLimit={self._patience.rate}",
            "-c",
            f"http.lowSpeedTime={self._patience.silence}",
        ]
        settings += ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false"]
        try:
            process = subprocess.Popen(
                ["git", *settings, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        except FileNotFoundError:
            hint = "install git: files of Git repositories are fetched by it"
            raise EnvironmentLack("git is not installed", hint=hint) from None
        with process:
            try:
                out, said = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                hint = "try again later, or have a copy of the file here"
                message = f"{self._source.public_url} is too slow: git did not end within {seconds} s"
                os.killpg(process.pid, signal.SIGKILL)
                raise UserError(message, hint=hint) from None
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            raise self._failure(said.decode(errors="replace"))
        return out.decode(errors="replace")

    def _failure(self, said: str) -> UserError:
        text = said.replace(self._source.url, self._source.public_url)
        lines = [line for line in text.splitlines() if line.startswith(("fatal: ", "error: ", "ssh: "))]
        reason = visible("; ".join(lines[:2]) or text.strip() or "git said nothing")[:500]
        hint = "git asks nothing here: passwords come from a credential helper, keys from an agent"
        return UserError(f"{self._source.public_url} cannot be fetched: {reason}", hint=hint)


def drop_escaping_links(folder: str) -> None:
    """Remove symbolic links that lead out of a folder, so that all paths in it stay in it."""
    root = os.path.realpath(folder)
    for directory, names, files in os.walk(folder):
        for path in (os.path.join(directory, name) for name in (*names, *files)):
            if os.path.islink(path) and not f"{os.path.realpath(path)}/".startswith(f"{root}/"):
                os.unlink(path)


def _quiet(source: GitSource, environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _OF_ANOTHER_REPOSITORY}
    kept |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GIT_ALLOW_PROTOCOL": source.scheme, "LC_ALL": "C"}
    if "GIT_SSH" not in kept:
        kept.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=15")
    return kept
