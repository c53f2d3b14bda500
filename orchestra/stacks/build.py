"""``build``: images from Dockerfiles, of services or of one directory. Without a supervisor; imports lazily."""

from __future__ import annotations

import contextlib
import os

from orchestra.errors import DockerfileError, UserError
from orchestra.record import Record, replace
from orchestra.stacks.at_once import how_many
from orchestra.stacks.build_choice import services_needed_by
from orchestra.stacks.build_inputs import EPOCH, find_devices, platforms_of, read_build, read_epoch
from orchestra.stacks.build_order import read_orders

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from typing import TypeVar

    from orchestra.build.cache import CacheSource, CacheTarget
    from orchestra.build.configuration import ImageConfiguration
    from orchestra.build.dockerfile import Dockerfile
    from orchestra.build.event import BuildEvent
    from orchestra.build.lines import Line
    from orchestra.build.other import Order
    from orchestra.build.step import BaseImage
    from orchestra.driver.local.build.builder import Base, Builder
    from orchestra.driver.local.build.execute import StepError
    from orchestra.driver.local.build.given import Given
    from orchestra.driver.local.image.adding import Added
    from orchestra.model.build import BuildSpec
    from orchestra.stacks.build_inputs import Read
    from orchestra.stacks.context import Context

    Hear = Callable[[str, BuildEvent], None]
    Cache = TypeVar("Cache", CacheSource, CacheTarget)

AT_ONCE = 4
"""Builds, each of which carries out several steps at a time, unless a command says how many."""

LIMIT = "ORCHESTRA_BUILD_CACHE_SIZE"


class BuiltImage(Record):
    """name: as the file says it, or empty for an image without one. id: the digest of its configuration."""

    service: str
    name: str
    id: str


def build(
    context: Context, specs: Sequence[BuildSpec], hear: Hear, *, stdin: io.BufferedReader | None = None
) -> list[BuiltImage]:
    """Build each of them. hear: the name of the build and what happens.

    Raises DockerfileError, UserError or DriverError, and EnvironmentLack if this user may not.
    """
    from orchestra.driver import Part

    context.need_privileges()
    context.need(Part.IMAGES)
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    from orchestra.driver.local.build.builder import opened_builder

    limit = read_limit(context.environment)
    images = {spec.service: spec.image for spec in specs}
    jobs: dict[str, Future[BuiltImage]] = {}
    # One that needs another comes after it, so that even a single thread never waits for what has not begun.
    workers = how_many(context.parallel, AT_ONCE, len(specs))
    with opened_builder(context.home) as builder, ThreadPoolExecutor(workers, "build") as pool:
        try:
            for spec in specs:
                needed = [jobs[service] for service in services_needed_by(spec)]
                one = _Build(context, builder, spec, images, stdin)
                jobs[spec.service] = pool.submit(one.run_after, needed, hear)
            wait(jobs.values(), return_when=FIRST_EXCEPTION)
            for job in jobs.values():
                if job.done():
                    job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            builder.cancel()
            raise
    if builder.has_grown and limit != -1:
        _keep_within(context, limit, hear)
    return [job.result() for job in jobs.values()]


def read_limit(environment: Mapping[str, str]) -> int | None:
    """The most bytes that builds may remember; -1 for no limit, None for the default. Raises UserError."""
    from orchestra.units import parse_bytes

    text = environment.get(LIMIT, "")
    try:
        return parse_bytes(text) if text else None
    except ValueError as error:
        raise UserError(f"{LIMIT}: {error}") from None


def _keep_within(context: Context, limit: int | None, hear: Hear) -> None:
    """Unless another build runs, which does it then."""
    from orchestra.build.event import StageOutput
    from orchestra.driver.local.build.limit import Busy, default_limit, refuse_to_wait, shrink_builds
    from orchestra.errors import DriverError

    line = ""
    try:
        freed = shrink_builds(context.home, default_limit(context.home) if limit is None else limit, refuse_to_wait)
    except Busy:
        return
    except DriverError as error:
        line = f"warning: {error}"
    else:
        line = f"removed what was used least recently: {freed >> 20} MiB" if freed else ""
    if line:
        hear("", StageOutput("shrinking the build cache", line, done=True))


class _Build:
    """images: of services that are built before it."""

    def __init__(
        self,
        context: Context,
        builder: Builder,
        spec: BuildSpec,
        images: Mapping[str, str],
        stdin: io.BufferedReader | None,
    ) -> None:
        self._context, self._builder, self._spec, self._images, self._stdin = context, builder, spec, images, stdin

    def run_after(self, needed: Iterable[Future[BuiltImage]], hear: Hear) -> BuiltImage:
        for job in needed:
            job.result()
        return self._run(hear)

    def _run(self, hear: Hear) -> BuiltImage:
        """Of several platforms, each has the names of the image, and this machine's is the one that containers get."""
        spec, names = self._spec, self._names()
        platforms = platforms_of(spec)
        with contextlib.ExitStack() as stack:
            if spec.builder:
                orders = read_orders(self._context, spec, names, self._images, self._stdin, stack)
                return BuiltImage(spec.service, spec.image, self._hand_over(orders, names, hear).image_id)
            read = read_build(self._context, spec, self._images, self._stdin, stack)
            given = self._given(read, names, stack)
            if len(platforms) == 1:
                return BuiltImage(
                    spec.service, spec.image, self._build(read, given, names, hear, spec.service).image_id
                )
            built = {
                platform: self._build(
                    replace(read, options=replace(read.options, platform=platform)),
                    given,
                    (),
                    hear,
                    f"{spec.service} {platform}".strip(),
                )
                for platform in platforms
            }
            return BuiltImage(spec.service, spec.image, self._builder.name_index(built, names).image_id)

    def _hand_over(self, orders: Sequence[Order], names: Sequence[str], hear: Hear) -> Added:
        """orders: for each platform."""
        from functools import partial

        environment, service = self._context.environment, self._spec.service
        if len(orders) == 1:
            return self._builder.hand_over(orders[0], names, environment, partial(hear, service))
        built = {
            order.platform: self._builder.hand_over(
                order, (), environment, partial(hear, f"{service} {order.platform}".strip())
            )
            for order in orders
        }
        return self._builder.name_index(built, names)

    def _build(self, read: Read, given: Given, names: Sequence[str], hear: Hear, label: str) -> Added:
        """label: for its progress."""
        from functools import partial

        from orchestra.build.graph import make_graph, needed_images
        from orchestra.driver.local.build.execute import StepError

        tell = partial(hear, label)
        directory = read.directories[""].path
        bases: dict[BaseImage, Base] = {}
        configurations: dict[BaseImage, ImageConfiguration] = {}
        # Triggers of a base (ONBUILD) may name further images.
        while missing := [
            (image, line)
            for image, line in needed_images(read.dockerfile, read.options, configurations).items()
            if image not in bases
        ]:
            bases |= {image: self._prepare(image, line, directory, read.dockerfile, tell) for image, line in missing}
            configurations = {image: base.configuration for image, base in bases.items()}
        graph = make_graph(read.dockerfile, read.options, configurations)
        given = replace(given, devices=find_devices(graph, self._context.environment))
        try:
            return self._builder.build(graph, given, bases, names, tell)
        except StepError as error:
            raise _explain(error, read) from error

    def _prepare(
        self,
        image: BaseImage,
        line: Line,
        directory: str,
        dockerfile: Dockerfile,
        hear: Callable[[BuildEvent], None],
    ) -> Base:
        """line: the instruction that names it. A name of an image that does not exist may be a mistyped stage."""
        from orchestra.build.problem import diagnose
        from orchestra.errors import DriverError
        from orchestra.nearest import suggest

        try:
            return self._builder.prepare(image, directory, pull=self._spec.pull, hear=hear)
        except DriverError as error:
            message, hint = error.message, error.hint
            meant = suggest(image.reference, {stage.name for stage in dockerfile.stages if stage.name}, "stages")
            if meant.startswith("did you mean"):
                message, hint = f"{image.reference} is no stage, and {message}", meant
            place = diagnose(dockerfile.source, message, line.span, hint, "base-image")
            raise DockerfileError((place,)) from error

    def _names(self) -> list[str]:
        from orchestra.driver.local.image.naming.name import parse_name

        names = []
        for text in (*((self._spec.image,) if self._spec.image else ()), *self._spec.tags):
            name = parse_name(text)
            if name.digest:
                raise UserError(f"{text} has a digest, which cannot be given", hint="name a tag")
            names.append(str(name))
        return list(dict.fromkeys(names))

    def _given(self, read: Read, names: Sequence[str], stack: contextlib.ExitStack) -> Given:
        from orchestra.build.cache import CacheOptionError, parse_cache_source, parse_cache_target
        from orchestra.build.step import Network
        from orchestra.driver.local.build.given import Given, RunOptions
        from orchestra.stacks.build_attesting import find_attesting
        from orchestra.stacks.build_inputs import open_agents, read_secrets

        spec, environment = self._spec, self._context.environment
        try:
            network = Network(spec.network or "default")
        except ValueError:
            hint = "use default, none or host"
            raise UserError(f"build network {spec.network} is not available", hint=hint) from None
        try:
            cache_from = tuple(map(_located, map(parse_cache_source, spec.cache_from)))
            cache_to = tuple(map(_located, map(parse_cache_target, spec.cache_to)))
        except CacheOptionError as error:
            raise UserError(
                f"cache {error}",
                hint="write type=registry,ref=NAME, or type=local with src=DIRECTORY or dest=DIRECTORY",
            ) from None
        return Given(
            directories=read.directories,
            trees={},
            run=RunOptions(network, spec.shm_size, spec.extra_hosts, spec.ulimits, spec.privileged),
            secrets=read_secrets(spec.secrets, self._context.given_variables, self._context.files),
            agents=open_agents(spec.ssh, environment, stack),
            epoch=read_epoch(read.options.arguments.get(EPOCH)),
            entitlements=frozenset(spec.entitlements),
            cache_from=cache_from,
            cache_to=cache_to,
            attesting=find_attesting(spec, read, names),
        )


def _located(cache: Cache) -> Cache:
    """With an absolute path, if it is a directory."""
    return replace(cache, place=os.path.abspath(cache.place)) if cache.type == "local" else cache


def _explain(error: StepError, read: Read) -> DockerfileError:
    """The error at its place in the Dockerfile."""
    from orchestra.errors import Diagnostic, Span

    label = error.label
    line = label.line if label else 1
    lines = read.dockerfile.source
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    first = len(source) - len(source.lstrip()) + 1
    span = Span(read.recipe.name, line, first, line, max(first + 1, len(source.rstrip()) + 1))
    message = f"{label.text}: {error.message}" if label else error.message
    return DockerfileError((Diagnostic("build-step", message, span, hint=error.hint, source_line=source),))
