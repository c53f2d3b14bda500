"""A stack that ``publish`` put into a registry: Compose files in order, those they extend, and env files."""

from __future__ import annotations

import os

from orchestra.driver.local.image.naming.name import parse_name
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.artifact import Kind, opened_artifact
from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.regex import regex
from orchestra.stacks.sources.reference import OCI, folder_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.driver.local.image.registry.artifact import Part
    from orchestra.stacks.sources.copies import Copies
    from orchestra.stacks.sources.reference import OciSource

# Docker Compose reads and writes the same types.
PROJECT = Kind("application/vnd.docker.compose.project", "application/vnd.docker.compose.config.empty.v1+json")
COMPOSE_FILE = "application/vnd.docker.compose.file+yaml"
ENV_FILE = "application/vnd.docker.compose.envfile"
FILE_NAME, ENV_NAME = "com.docker.compose.file", "com.docker.compose.envfile"
EXTENDED = "com.docker.compose.extends"
MAIN = "compose.yaml"
_NAME = regex(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,200}")


class Published(Record):
    """pinned: the reference with its digest. path: the path of the Compose file."""

    pinned: str
    path: str


def fetch_stack(source: OciSource, copies: Copies, environment: Mapping[str, str]) -> Published:
    """Raises DriverError if no registry has it, and UserError if it is not a stack."""
    name = parse_name(source.name)
    folder = folder_name(name.path.rpartition("/")[2])
    if name.digest and (found := copies.find(_place(name.digest, folder))):
        return Published(f"{OCI}{name.at(name.digest)}", f"{found}/{MAIN}")
    with opened_artifact(name, PROJECT, Access(environment)) as artifact:
        place = _place(artifact.digest, folder)
        found = copies.find(place)
        if found is None:
            files = files_of(artifact.read())
            found = copies.keep(place, lambda directory: _write(directory, files))
        return Published(f"{OCI}{name.at(artifact.digest)}", f"{found}/{MAIN}")


def files_of(parts: Sequence[Part]) -> dict[str, bytes]:
    """The files of a published stack, by name. Raises UserError for names that lead elsewhere."""
    files: dict[str, bytes] = {}
    for part in parts:
        if part.media_type == ENV_FILE:
            files[_checked(part.annotations.get(ENV_NAME, ""))] = part.data
        elif part.media_type == COMPOSE_FILE:
            name = _checked(part.annotations.get(FILE_NAME, "")) if EXTENDED in part.annotations else MAIN
            # Files to merge become the documents of one file, which are merged in order.
            files[name] = files[name] + b"\n---\n" + part.data if name in files else part.data
    if MAIN not in files:
        raise UserError("the published stack has no Compose file")
    return files


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise UserError(f"the published stack has a file with the name {name[:100]!r}, which is refused")
    return name


def _place(digest: str, folder: str) -> str:
    return f"oci/{digest.removeprefix('sha256:')}/{folder}"


def _write(directory: str, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        with open(os.path.join(directory, name), "xb") as file:
            file.write(data)
