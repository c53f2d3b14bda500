"""``orchestra build``: build the images of services."""

from __future__ import annotations

import io
import sys

from orchestra.cli.build_progress import open_build_progress
from orchestra.stacks.build import build
from orchestra.stacks.build_choice import BuildOptions, choose_builds
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.model.build import BuildSpec
    from orchestra.stacks.build import BuiltImage


def run(invocation: Invocation) -> int:
    values = invocation.values
    options = invocation.options(BuildOptions)
    if values["check"]:
        return _check(invocation, options)
    if values["print"]:
        from orchestra.stacks.build_check import render_bake

        print(render_bake(choose_builds(invocation.context, options)))
        return 0
    built = build_images(invocation, options, quiet=values["quiet"])
    if values["quiet"]:
        for image in built:
            print(image.id)
    if values["push"] and built:
        return _push(invocation, built)
    return 0


def build_images(invocation: Invocation, options: BuildOptions, *, quiet: bool) -> list[BuiltImage]:
    """Show the progress on standard error. Raises what a build raises."""
    specs = choose_builds(invocation.context, options)
    if not specs:
        print("No services to build", file=sys.stderr)
    return build_shown(invocation, specs, quiet=quiet)


def build_shown(invocation: Invocation, specs: Sequence[BuildSpec], *, quiet: bool) -> list[BuiltImage]:
    """The same of specifications."""
    with open_build_progress(invocation, quiet=quiet) as progress:
        stdin = io.FileIO(sys.stdin.fileno(), closefd=False)
        return build(invocation.context, specs, progress.hear, stdin=io.BufferedReader(stdin))


def _check(invocation: Invocation, options: BuildOptions) -> int:
    """Print what is found in the Dockerfiles; the exit code is 1 if anything is."""
    from orchestra.cli.render.errors import render_problems
    from orchestra.stacks.build_check import check_builds

    reports = check_builds(invocation.context, choose_builds(invocation.context, options))
    found = [each for report in reports.values() for each in (*report.problems, *report.findings)]
    if found:
        print(render_problems(found, invocation.colors(sys.stderr)), file=sys.stderr)
        return 1
    print("Check complete, no warnings found.")
    return 0


def _push(invocation: Invocation, built: Sequence[BuiltImage]) -> int:
    from functools import partial

    from orchestra.cli.image.parallel import run_for_services
    from orchestra.stacks.images.push import PushOptions, push

    services = tuple(image.service for image in built)
    for image in built:
        print(visible(f"pushing {image.name}"), file=sys.stderr)
    return run_for_services(invocation, partial(push, invocation.context, PushOptions(services)))
