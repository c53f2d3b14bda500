"""``commit``: creates an image from a container's changes. Standard library only."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.stacks.replicas import find_replicas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.stacks.context import Context


class CommitOptions(Record):
    """name: of the image, with or without a tag; empty for an image with only an id. changes: lines of a Dockerfile.

    pause: suspend the container's processes while its files are read. replica: the index of the container; None
    for the first.
    """

    service: str
    name: str | None = None
    author: str | None = None
    changes: tuple[str, ...] = ()
    message: str | None = None
    pause: bool = True
    replica: int | None = None


def commit(context: Context, options: CommitOptions) -> str:
    """Return the id of the image. Raises UserError, or FatalError if the container's image is no longer complete."""
    home, container, name = find_committed(context, options)
    from orchestra.driver.local.copying.commit import Commit, commit_container

    wanted = Commit(
        name=name,
        author=options.author or "",
        message=options.message or "",
        changes=options.changes,
        pause=options.pause,
    )
    return commit_container(context.home, home.name, container, wanted)


def find_committed(context: Context, options: CommitOptions) -> tuple[StackHome, Container, str]:
    """The container that ``commit`` takes, and the whole name of the image; '' for none. Raises UserError."""
    context.need_privileges()
    context.need(Part.COPY)
    home, containers = find_replicas(context, options.service, options.replica)
    from orchestra.driver.local.image.naming.name import parse_name

    name = parse_name(options.name) if options.name else None
    if name and name.digest:
        raise UserError(f"{name} has a digest, which cannot be given", hint="name a tag")
    return home, containers[0], str(name or "")
