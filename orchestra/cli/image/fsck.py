"""``orchestra image fsck``: whether all images are complete, and what to do about those that are not."""

from __future__ import annotations

from orchestra.cli.render.say import say
from orchestra.cli.render.sizes import describe_size
from orchestra.stacks.images.check import check_images
from orchestra.stacks.images.library import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.images.check import Report


def run(invocation: Invocation) -> int:
    repair = invocation.values["repair"]
    report = check_images(invocation.context, repair=repair)
    say(f"Checked {report.blobs} blobs of {describe_size(report.size)}.")
    _tell(report, repair=repair)
    if report.is_sound:
        say("All images are complete and undamaged.")
        return 0
    # Dropped content that belonged to no image is no longer a problem.
    return 0 if repair and not report.incomplete else 1


def _tell(report: Report, *, repair: bool) -> None:
    for digest in report.damaged:
        say(f"damaged: {digest}" + (", removed" if repair else ""))
    for reference, lacking in report.incomplete.items():
        say(f"incomplete: {reference} lacks {', '.join(lacking)}")
    for reference in report.not_unpacked:
        say(f"not unpacked: {reference} (it is unpacked on first use)")
    if report.unfinished:
        size = describe_size(report.unfinished)
        say(f"unfinished: {size} of interrupted downloads; the next pull resumes them")
    if report.damaged and not repair:
        say("Run `orchestra image fsck --repair` to remove the damaged data, so that it is pulled again.")
    for reference in report.incomplete:
        again = "load it again" if name_of(reference) else "remove it with `orchestra image rm`"
        say(f"Run `orchestra image pull {reference}` to pull it again, or {again}.")
