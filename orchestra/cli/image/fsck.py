"""``orchestra image fsck``: whether all images are whole, and what to do where one is not."""

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
        say("All images are whole.")
        return 0
    # What was dropped and belonged to no image is no longer anybody's trouble.
    return 0 if repair and not report.incomplete else 1


def _tell(report: Report, *, repair: bool) -> None:
    for digest in report.damaged:
        say(f"damaged: {digest}" + (", dropped" if repair else ""))
    for reference, lacking in report.incomplete.items():
        say(f"incomplete: {reference} lacks {', '.join(lacking)}")
    for reference in report.not_unpacked:
        say(f"not unpacked: {reference}, which is done when it is used")
    if report.unfinished:
        size = describe_size(report.unfinished)
        say(f"unfinished: {size} of downloads that broke off; the next pull goes on with them")
    if report.damaged and not repair:
        say("What is damaged is dropped by `orchestra image fsck --repair`, so that it is fetched again.")
    for reference in report.incomplete:
        again = "or load it again" if name_of(reference) else "or remove it with `orchestra image rm`"
        say(f"Fetch it with `orchestra image pull {reference}`, {again}.")
