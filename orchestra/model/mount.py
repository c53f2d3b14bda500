"""What a container finds below ``/`` besides its image: entries of ``volumes``, ``tmpfs``, ``configs`` and ``secrets``,
and the socket of ``use_api_socket``.

target: an absolute path in the container, in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestra.model.codec import tagged
from orchestra.record import Record, replace


@tagged
class BindMount(Record):
    """A file or directory of the host. source: its absolute path.

    create_host_path: make a missing directory, as the short syntax does. declared: what it belongs to, such as
    ``secret token``, if it is not a volume. recursive: what becomes of the mounts below the source: by default they are
    there, and read-only with the rest; ``disabled`` leaves them out, ``writable`` leaves them as they are, ``readonly``
    is the default.
    """

    target: str
    source: str
    read_only: bool = False
    create_host_path: bool = False
    propagation: str = ""
    declared: str = ""
    recursive: str = ""


@tagged
class VolumeMount(Record):
    """A volume, by its name on the host; without one, an anonymous volume of the container, with ``labels``."""

    target: str
    name: str = ""
    read_only: bool = False
    propagation: str = ""
    subpath: str = ""
    no_copy: bool = False
    labels: Mapping[str, str] = {}


@tagged
class TmpfsMount(Record):
    """A tmpfs. options: words of the OCI runtime specification, each thing decided once."""

    target: str
    options: tuple[str, ...] = ()
    read_only: bool = False


@tagged
class ImageMount(Record):
    """The file system of an image, read-only. image: a reference, of the container's platform. subpath: what of it."""

    target: str
    image: str
    subpath: str = ""


@tagged
class FileMount(Record):
    """A read-only file of one container, made from ``content``, or from the file ``source`` when it is made.

    An unset variable leaves both at their defaults, and so does what there is no store for: refusal says why the
    container cannot be made. uid, gid, mode: None for the defaults. declared: as in BindMount.
    """

    target: str
    source: str = ""
    content: str | None = None
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    declared: str = ""
    refusal: str = ""

    def __repr__(self) -> str:
        """Without the content, which may be a secret."""
        return Record.__repr__(replace(self, content=None))


class ApiAccess(StrEnum):
    """What a container may do with the socket of the API: everything, or change or look at only its own stack."""

    ALL = "all"
    STACK = "stack"
    READ_ONLY = "read-only"


@tagged
class ApiMount(Record):
    """A socket of Docker's Engine API, which is served while a program in the container uses it."""

    target: str
    access: ApiAccess = ApiAccess.ALL


Mount = BindMount | VolumeMount | TmpfsMount | ImageMount | FileMount | ApiMount
