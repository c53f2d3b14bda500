"""Which stack is followed, and how that goes, from the files that supervisors write. Cheap where none is followed."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.edit import Edit
    from orchestra.model.following import Following
    from orchestra.stacks.context import Context


def following_of(context: Context, stack: str) -> Following | None:
    """None if it is not followed, or if this user may not know."""
    home = context.home.stack(stack)
    try:
        if not os.path.exists(home.following):
            return None
        from orchestra.control.following import load_following

        return load_following(home)
    except PermissionError:
        return None


def refused_edit(context: Context, stack: str) -> Edit | None:
    following = following_of(context, stack)
    return following.edit if following is not None and following.refused else None


def find_followed(context: Context) -> str | None:
    """The stack that is followed with the files that this context means; for files that cannot be loaded."""
    directory = context.working_directory or os.getcwd()
    try:
        names = sorted(os.listdir(context.home.stacks_data))
    except OSError:
        return None
    for name in names:
        following = following_of(context, name)
        if following is None:
            continue
        follow = following.follow
        if context.project.name == name or (follow.project, follow.working_directory) == (context.project, directory):
            return name
    return None
