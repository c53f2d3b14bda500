"""The instructions of a Dockerfile, a closed union, with their variables not yet replaced.

The words are the Dockerfile reference's: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

from orchestra.build.here import HereDocument  # noqa: TC001 - the hints of a record
from orchestra.build.lines import Line  # noqa: TC001
from orchestra.build.step import Network
from orchestra.record import Record


class CommandLine(Record):
    """in_shell: whether it is one text that the shell of the image gets, with its here-documents."""

    arguments: tuple[str, ...]
    in_shell: bool
    documents: tuple[HereDocument, ...] = ()


class Argument(Record):
    """One variable of an ARG. default: None if it has none."""

    name: str
    default: str | None = None


class From(Record):
    """name: of the stage, in lower case; empty if it has none. written_name, written_as: as in the file."""

    line: Line
    image: str
    name: str = ""
    platform: str = ""
    written_name: str = ""
    written_as: str = ""


class Arg(Record):
    line: Line
    arguments: tuple[Argument, ...]


class Env(Record):
    """old_form: ``ENV NAME value``."""

    line: Line
    pairs: tuple[tuple[str, str], ...]
    old_form: bool = False


class Label(Record):
    line: Line
    pairs: tuple[tuple[str, str], ...]
    old_form: bool = False


class Run(Record):
    """mounts, devices: the values of ``--mount`` and ``--device``."""

    line: Line
    command: CommandLine
    mounts: tuple[str, ...] = ()
    network: Network = Network.DEFAULT
    insecure: bool = False
    devices: tuple[str, ...] = ()


class Files(Record):
    """What COPY and ADD have in common. sources: paths, URLs and the like, without here-documents.

    mode, owner: empty if they are not given.
    """

    sources: tuple[str, ...]
    documents: tuple[HereDocument, ...]
    destination: str
    owner: str = ""
    mode: str = ""
    link: bool = False
    exclude: tuple[str, ...] = ()


class Copy(Record):
    """source: of ``--from``: a stage, an image or a named context; empty for the build's context."""

    line: Line
    files: Files
    source: str = ""
    parents: bool = False


class Add(Record):
    """keep_git_directory, unpack: None if the flag is not given."""

    line: Line
    files: Files
    checksum: str = ""
    keep_git_directory: bool | None = None
    unpack: bool | None = None


class Workdir(Record):
    line: Line
    path: str


class User(Record):
    line: Line
    user: str


class Volume(Record):
    line: Line
    paths: tuple[str, ...]


class Expose(Record):
    line: Line
    ports: tuple[str, ...]


class Cmd(Record):
    line: Line
    command: CommandLine


class Entrypoint(Record):
    line: Line
    command: CommandLine


class Healthcheck(Record):
    """test: with ``NONE``, ``CMD`` or ``CMD-SHELL`` before the command. Durations in nanoseconds; 0 for the default."""

    line: Line
    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Stopsignal(Record):
    line: Line
    signal: str


class Shell(Record):
    line: Line
    arguments: tuple[str, ...]


class Onbuild(Record):
    """trigger: the instruction for builds that start from this image, with its here-documents."""

    line: Line
    trigger: str


class Maintainer(Record):
    line: Line
    name: str


Instruction = (
    Arg
    | Env
    | Label
    | Run
    | Copy
    | Add
    | Workdir
    | User
    | Volume
    | Expose
    | Cmd
    | Entrypoint
    | Healthcheck
    | Stopsignal
    | Shell
    | Onbuild
    | Maintainer
)
"""What a stage consists of; From begins one."""
