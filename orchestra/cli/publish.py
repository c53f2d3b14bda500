"""``orchestra publish``: publish the files of a stack to a registry."""

from __future__ import annotations

import sys
from functools import partial

from orchestra.cli.confirm import is_sure
from orchestra.cli.each import show_error
from orchestra.cli.image.parallel import with_progress
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.cli.render.say import say
from orchestra.cli.render.sizes import describe_size
from orchestra.errors import UserError
from orchestra.stacks.publish import PublishOptions, draft, pinned, publish, push_built
from orchestra.stacks.publish_images import copy_images
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.publish import Draft


def run(invocation: Invocation) -> int:
    values, context = invocation.values, invocation.context
    options = invocation.options(PublishOptions)
    found = draft(context, options)
    is_pinned = options.resolve_image_digests or options.app
    if values["dry_run"]:
        print(visible(_render_doubts(found), lines=True), end="")
        _show_files(pinned(context, found) if is_pinned and not options.app and not found.built else found)
        for image in found.images.names if options.app else ():
            say(f"Would copy {image} to {found.name.repository}")
        say(f"Would publish oci://{found.name}")
        return 0
    if found.doubts and not values["yes"]:
        _ask(found)
    if found.built:
        failures = with_progress(invocation, partial(push_built, context, found))
        for image, error in failures.items():  # as in Docker Compose, the image may be pushed later
            show_error(invocation, error, image)
    copied = None
    if options.app:
        copy = partial(copy_images, context, found.images, found.name, insecure=options.insecure_registry)
        copied, failures = with_progress(invocation, copy)
        for image, error in failures.items():
            show_error(invocation, error, image)
        if failures:
            raise UserError("nothing was published: an image cannot be included", hint="see the errors above")
    if is_pinned:
        found = pinned(context, found, copied)
    _show_files(found)
    reference = publish(context, found, options, copied)
    say(f"Published {reference}")
    return 0


def _ask(found: Draft) -> None:
    if not sys.stdin.isatty():
        print(visible(_render_doubts(found), lines=True), end="", file=sys.stderr)
        raise UserError(
            "cannot ask whether to publish this: standard input is not a terminal", hint="use --yes to publish it"
        )
    if not is_sure(_render_doubts(found).rstrip()):
        raise UserError("cancelled: nothing was published")


def _render_doubts(found: Draft) -> str:
    lines: list[str] = []
    for heading, rows in found.doubts.items():
        lines += [heading, *(f"  - {row}" for row in rows), ""]
    return "".join(f"{line}\n" for line in lines)


def _show_files(found: Draft) -> None:
    rows = [(name, describe_size(size), digest) for name, size, digest in found.files]
    print(render_columns(("FILE", "SIZE", "DIGEST"), rows, width=output_width()), end="")
