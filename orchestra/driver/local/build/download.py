"""What ADD takes from elsewhere: a file from a URL, or the files of a commit of a Git repository.

Both are kept below ``home.builds``, complete or not at all. A URL is asked with every build whether its file has
changed; a commit never does. Source: the Dockerfile reference, "ADD".
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from errno import EEXIST, ENOTEMPTY
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.build.kept import note_use
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.removal import remove_tree
from orchestra.errors import EnvironmentLack, TemporaryError, UserError
from orchestra.linux import private_files
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.build.step import Download, GitTree
    from orchestra.home import Home

CHUNK = 1 << 18
SILENCE = 60
"""Seconds without a byte after which a server is given up."""
FETCH = 600
"""Seconds for all the files of a commit."""


class Fetched(Record):
    """path: a directory with the files. digest: of what they are."""

    path: str
    digest: str


def fetch_file(home: Home, step: Download) -> Fetched:
    """Raises UserError for another checksum, or a URL that is refused; TemporaryError without an answer."""
    if not step.url.startswith(("http://", "https://")):
        raise UserError(f"ADD {step.url}: only http and https are supported")
    name = hashlib.sha256(f"{step.url}\0{step.file_name}".encode()).hexdigest()
    directory = f"{home.builds}/downloads/{name}"
    known = _known(directory, step.file_name)
    request = urllib.request.Request(step.url, headers=known.get("conditions", {}))
    try:
        with urllib.request.urlopen(request, timeout=SILENCE) as answer:
            digest = _store(directory, step.file_name, answer)
    except urllib.error.HTTPError as error:
        if error.code != 304:
            raise UserError(f"ADD {step.url}: the server answers {error.code} {error.reason}") from error
        digest = str(known["digest"])
    except (urllib.error.URLError, TimeoutError) as error:
        raise TemporaryError(f"ADD {step.url}: {getattr(error, 'reason', error)}", hint="check the network") from error
    if step.checksum and digest != step.checksum:
        raise UserError(f"ADD {step.url}: its digest is {digest}, not {step.checksum}", hint="correct --checksum")
    path = f"{directory}/{digest.removeprefix('sha256:')}"
    note_use(path, changed=digest != str(known.get("digest")))
    return Fetched(path, digest)


def _known(directory: str, name: str) -> dict[str, Any]:
    """What was fetched before, if the file is still as it was then."""
    try:
        with open(f"{directory}/known.json", "rb") as file:
            known: dict[str, Any] = json.load(file)
        digest = known["digest"].removeprefix("sha256:")
        with open(f"{directory}/{digest}/{name}", "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == digest:
                return known
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    remove_tree(f"{directory}/{digest}")
    return {}


def _store(directory: str, name: str, answer: urllib.request.addinfourl) -> str:  # type: ignore[name-defined]
    private_files.make_directories(directory)
    growing = f"{directory}/.{os.urandom(8).hex()}"
    os.mkdir(growing, 0o700)
    try:
        hashed = hashlib.sha256()
        with open(f"{growing}/{name}", "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            while chunk := answer.read(CHUNK):
                hashed.update(chunk)
                file.write(chunk)
        if (changed := answer.headers.get("Last-Modified")) is not None:
            with contextlib.suppress(ValueError):
                seconds = parsedate_to_datetime(changed).timestamp()
                os.utime(f"{growing}/{name}", (seconds, seconds))
        target = f"{directory}/{hashed.hexdigest()}"
        try:
            os.rename(growing, target)
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                raise
            # What was there may be damaged, as this is not.
            os.rename(f"{growing}/{name}", f"{target}/{name}")
    finally:
        remove_tree(growing)
    digest = f"sha256:{hashed.hexdigest()}"
    conditions = {"If-None-Match": answer.headers.get("ETag"), "If-Modified-Since": changed}
    known = {"digest": digest, "conditions": {key: value for key, value in conditions.items() if value}}
    if known["conditions"]:
        with contextlib.suppress(FileNotFoundError):  # another build gives it its name
            private_files.store(f"{directory}/known.json", json.dumps(known).encode())
    return digest


def fetch_commit(home: Home, step: GitTree) -> Fetched:
    """Raises UserError for a repository or a reference that there is not, and EnvironmentLack without git."""
    if shutil.which("git") is None:
        raise EnvironmentLack(f"ADD {step.url}: git is not installed", hint="install git")
    commit = _resolve(step)
    if step.checksum and not commit.startswith(step.checksum):
        raise UserError(f"ADD {step.url}: the commit is {commit}, not {step.checksum}", hint="correct --checksum")
    kept = "git" if step.keep_git_directory else "files"
    name = hashlib.sha256(f"{step.url}\0{kept}".encode()).hexdigest()
    directory = f"{home.builds}/downloads/{name}/{commit}"
    with file_errors(step.url):
        is_new = not os.path.isdir(directory)
        if is_new:
            _check_out(step, commit, directory)
        note_use(directory, changed=is_new)
    path = os.path.realpath(os.path.join(directory, step.subdirectory.strip("/")))
    if not f"{path}/".startswith(f"{os.path.realpath(directory)}/") or not os.path.isdir(path):
        raise UserError(f"ADD {step.url}: there is no directory {step.subdirectory} in it")
    return Fetched(path, f"{commit} {step.subdirectory} {kept}")


def _resolve(step: GitTree) -> str:
    if len(step.reference) == 40 and not set(step.reference) - set("0123456789abcdef"):
        return step.reference
    wanted = step.reference or "HEAD"
    rows = [line.split("\t") for line in _git(step, "ls-remote", "--", step.url, wanted, f"{wanted}^{{}}").splitlines()]
    found = {name: commit for commit, name in rows}
    for name in (f"refs/tags/{wanted}^{{}}", f"refs/tags/{wanted}", f"refs/heads/{wanted}", wanted):
        if name in found:
            return found[name]
    raise UserError(f"ADD {step.url}: there is no branch, tag or commit {wanted}")


def _check_out(step: GitTree, commit: str, directory: str) -> None:
    private_files.make_directories(os.path.dirname(directory))
    growing = f"{os.path.dirname(directory)}/.{os.urandom(8).hex()}"
    try:
        os.mkdir(growing, 0o700)
        _git(step, "init", "--quiet", growing)
        _git(step, "-C", growing, "fetch", "--quiet", "--depth=1", "--", step.url, commit)
        _git(step, "-C", growing, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        os.chmod(growing, 0o755)
        if not step.keep_git_directory:
            remove_tree(f"{growing}/.git")
        with contextlib.suppress(OSError):  # another build was faster
            os.rename(growing, directory)
    finally:
        remove_tree(growing)


def _git(step: GitTree, *arguments: str) -> str:
    """Without prompts and without the settings of this user, and by no protocol that runs commands."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "http:https:ssh:git", "GIT_CONFIG_NOSYSTEM": "1"}
    command: Sequence[str] = ("git", "-c", "core.hooksPath=/dev/null", *arguments)
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise TemporaryError(f"ADD {step.url}: git takes too long") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise UserError(f"ADD {step.url}: git: {said[-1] if said else f'exit code {done.returncode}'}")
    return done.stdout
