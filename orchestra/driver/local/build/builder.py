"""Builds of one home: base images are made ready, graphs carried out, and results become images."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orchestra.build.cache import CacheType
from orchestra.build.configuration import ImageConfiguration, parse_configuration
from orchestra.build.event import BuildEvent, StageOutput
from orchestra.build.step import BaseImage
from orchestra.driver.local.build.execute import Execution
from orchestra.driver.local.build.layer import Layers
from orchestra.driver.local.build.runner import Runner
from orchestra.driver.local.build.stack import living
from orchestra.driver.local.build.trees import FileTree, Trees
from orchestra.driver.local.image.adding import add_document, add_image, describe_platform
from orchestra.driver.local.image.content.parts import BASE
from orchestra.driver.local.image.content.store import Stored
from orchestra.driver.local.image.documents.manifest import INDEX, MANIFEST
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.driver.local.image.naming.reference import TRANSPORTS, Registry, parse_reference
from orchestra.driver.local.image.store import ImageStore
from orchestra.driver.local.image.tree import PREFIX
from orchestra.errors import DriverError, FatalError
from orchestra.model.desired import ImageSpec
from orchestra.model.platform import parse_platform
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestra.build.attestation.provenance import Course
    from orchestra.build.cache import CacheTarget
    from orchestra.build.other import Order
    from orchestra.build.step import Graph
    from orchestra.driver.local.build.cache_from import Caches
    from orchestra.driver.local.build.given import Attesting, Given
    from orchestra.driver.local.build.layer import Descriptor
    from orchestra.driver.local.image.adding import Added
    from orchestra.driver.local.image.content.parts import Parts
    from orchestra.home import Home
    from orchestra.model.platform import Platform

Hear = Callable[[BuildEvent], None]
EXPORT = "exporting to image"
ATTEST = "exporting attestations"


class Base(Record):
    """A base image that is ready. parts: None for a directory of this machine. digest: of what its name means."""

    tree: FileTree
    configuration: ImageConfiguration
    parts: Parts | None
    digest: str = ""


@contextlib.contextmanager
def opened_builder(home: Home) -> Iterator[Builder]:
    """In this context nothing that builds need is collected."""
    store = ImageStore(home)
    with living(home), store.content.held():
        builder = Builder(home, store)
        try:
            yield builder
        finally:
            builder.close()


class Builder:
    def __init__(self, home: Home, store: ImageStore) -> None:
        self._home, self._store = home, store
        self._cancelled, self._cancel = os.pipe2(os.O_CLOEXEC)
        self._trees = Trees(home)
        self._runner = Runner(home)
        self._attested: dict[str, dict[str, Any]] = {}
        """The rows that indexes have for attestations, by the digests of the manifests that these are about."""
        self.has_grown = False
        """Whether there is more to remember than before."""

    def close(self) -> None:
        self._runner.close()
        os.close(self._cancelled)
        os.close(self._cancel)

    def cancel(self) -> None:
        """End all builds: commands that run are killed."""
        os.write(self._cancel, b"x")

    def prepare(self, image: BaseImage, directory: str, *, pull: bool, hear: Hear) -> Base:
        """directory: what paths of layouts and archives are relative to. pull: ask registries for newer ones.

        Raises UserError or DriverError.
        """
        began = time.monotonic()
        name = f"load metadata for {image.reference}"
        hear(StageOutput(name))
        reference = _located(image.reference, directory)
        spec = ImageSpec(reference, image.platform, "always" if pull else "missing")
        with self._named_as_before(reference, image.platform):
            digest = self._store.pull(spec).digest
            meant = self._meaning(reference, digest)
        hear(StageOutput(name, "", time.monotonic() - began, done=True))
        if digest.startswith(PREFIX):
            return Base(FileTree(base=digest), ImageConfiguration(), None)
        parts = self._store.parts(digest)
        if parts is None:
            raise FatalError(f"image {image.reference} is no longer on this machine", hint="build again")
        return Base(FileTree(parts.diff_ids, parts.base), parse_configuration(parts.document), parts, meant)

    def _meaning(self, reference: str, digest: str) -> str:
        """The digest of the index or the manifest that a name led to."""
        name = parse_reference(reference)
        entry = self._store.content.entry(str(parse_name(name.name))) if isinstance(name, Registry) else None
        return entry.source if entry and entry.digest == digest else digest

    @contextlib.contextmanager
    def _named_as_before(self, reference: str, platform: str) -> Iterator[None]:
        """A base for another platform takes no name from the image that containers of this machine have by it."""
        machine = os.uname().machine
        name = parse_reference(reference)
        if not isinstance(name, Registry) or parse_platform(platform, machine).is_same(parse_platform("", machine)):
            yield
            return
        content, key = self._store.content, str(parse_name(name.name))
        before = content.entry(key)
        try:
            yield
        finally:
            if before is not None:
                content.put_entry(before)

    def build(
        self, graph: Graph, given: Given, bases: Mapping[BaseImage, Base], names: Sequence[str], hear: Hear
    ) -> Added:
        """names: full ones that the image gets. Raises StepError, UserError or DriverError."""
        began = time.time()
        layers = Layers(self._home, self._trees, self._store.content, given.epoch)
        given = replace(given, trees={image: base.tree for image, base in bases.items()})
        if given.attesting is None or given.attesting.wanted.bill is None:
            graph = replace(graph, scanned=())
        try:
            platform = parse_platform(graph.result.platform, os.uname().machine)
            with self._caches(given, platform, hear) as caches:
                execution = Execution(
                    self._home, self._trees, layers, graph, given, caches, self._runner, self._cancelled, hear
                )
                try:
                    execution.run()
                finally:
                    self.has_grown = self.has_grown or execution.has_grown
                    execution.close()
            added = self._export(graph, execution, layers, given, bases, names, hear)
            if given.attesting is not None:
                from orchestra.driver.local.build.attestations import course_of

                parts = self._store.parts(added.digest)
                assert parts is not None, added.digest
                course = course_of(graph, execution, given, bases, parts, began)
                scanned = {name: self._trees.layers(execution.made[tree].tree) for name, tree in graph.scanned}
                self._attest(given.attesting, course, added, parts, scanned, names, hear)
            return added
        finally:
            layers.close()

    def _caches(self, given: Given, platform: Platform, hear: Hear) -> contextlib.AbstractContextManager[Caches | None]:
        if not given.cache_from:
            return contextlib.nullcontext()
        from orchestra.driver.local.build.cache_from import opened_caches

        content, snapshots = self._store.content, self._trees.snapshots
        return opened_caches(self._home, content, snapshots, given.cache_from, platform, hear)

    def hand_over(self, order: Order, names: Sequence[str], environment: Mapping[str, str], hear: Hear) -> Added:
        """Have another program build it. names, environment: see ``other.hand_over``."""
        from orchestra.driver.local.build.other import hand_over

        return hand_over(self._store, order, names, environment, self._cancelled, hear)

    def name_index(self, built: Mapping[str, Added], names: Sequence[str]) -> Added:
        """Names mean an index of images, by platform. Returns this machine's image, or else the first one."""
        content, machine = self._store.content, os.uname().machine
        platforms = {text: parse_platform(text, machine) for text in built}
        rows = [
            {
                "mediaType": MANIFEST,
                "digest": added.digest,
                "size": content.size(added.digest),
                "platform": describe_platform(platforms[text]),
            }
            for text, added in built.items()
        ]
        rows += [self._attested[added.digest] for added in built.values() if added.digest in self._attested]
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}
        _, index = add_document(content, document, INDEX)
        host = parse_platform("", machine)
        chosen = next((text for text in built if platforms[text].is_same(host)), next(iter(built)))
        added = built[chosen]
        for name in names:
            content.put_entry(Stored(name, index, added.digest, content.size(added.digest), str(platforms[chosen])))
        return added

    def _export(
        self,
        graph: Graph,
        execution: Execution,
        layers: Layers,
        given: Given,
        bases: Mapping[BaseImage, Base],
        names: Sequence[str],
        hear: Hear,
    ) -> Added:
        began = time.monotonic()
        hear(StageOutput(EXPORT))
        result = graph.result
        tree = execution.made[result.tree].tree
        step = graph.steps[result.base]
        base = bases[step] if isinstance(step, BaseImage) else None
        below = base.parts.layers if base and base.parts else ()
        described = [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in below]
        described += [layers.blob(tree, number) for number in range(len(below), len(tree.diff_ids))]
        document = _document(graph, execution, given.epoch, base, tree)
        if any(target.type is CacheType.INLINE for target in given.cache_to):
            from orchestra.build.cache import render_cache
            from orchestra.driver.local.build.cache_to import INLINE

            document[INLINE] = render_cache(execution.cached_steps(every=False))
        added = add_image(self._store, document, described, "the image", names=names)
        for line in (f"image {added.image_id}", *(f"named {name}" for name in names)):
            hear(StageOutput(EXPORT, line))
        hear(StageOutput(EXPORT, "", time.monotonic() - began, done=True))
        for target in given.cache_to:
            if target.type is not CacheType.INLINE:
                self._export_cache(target, execution, layers, bases, hear)
        return added

    def _attest(
        self,
        attesting: Attesting,
        course: Course,
        added: Added,
        parts: Parts,
        scanned: Mapping[str, Sequence[str]],
        names: Sequence[str],
        hear: Hear,
    ) -> None:
        """Names mean an index of the image and its attestations from then on."""
        from orchestra.driver.local.build.attestations import add_attestations, make_statements

        start = time.monotonic()
        hear(StageOutput(ATTEST))
        layers = self._trees.layers(FileTree(parts.diff_ids, parts.base))

        def warn(line: str) -> None:
            hear(StageOutput(ATTEST, f"warning: {line}"))

        statements = make_statements(attesting, course, added.digest, layers, scanned, warn)
        self._attested[added.digest] = add_attestations(self._store.content, statements, added.digest)
        if names:
            self.name_index({course.graph.result.platform: added}, names)
        hear(StageOutput(ATTEST, "", time.monotonic() - start, done=True))

    def _export_cache(
        self,
        target: CacheTarget,
        execution: Execution,
        layers: Layers,
        bases: Mapping[BaseImage, Base],
        hear: Hear,
    ) -> None:
        """Layers of base images stay out: a build that can use the cache has them."""
        began = time.monotonic()
        name = f"exporting cache to {target}"
        hear(StageOutput(name))
        line = ""
        if target.type.is_supported:
            steps = execution.cached_steps(every=target.every_step)
            theirs = {diff_id for base in bases.values() for diff_id in base.tree.diff_ids}
            blobs: dict[str, Descriptor] = {}
            for step in steps:
                for number, diff_id in enumerate(step.diff_ids):
                    if diff_id not in theirs | blobs.keys():
                        blobs[diff_id] = layers.blob(FileTree(step.diff_ids), number)
            from orchestra.driver.local.build.cache_to import export_cache

            try:
                export_cache(self._store.content, target, steps, blobs)
            except DriverError as error:
                if not target.may_fail:
                    raise
                line = f"warning: {error}"
        else:
            line = f"warning: caches of type {target.type} are not supported"
        hear(StageOutput(name, line, time.monotonic() - began, done=True))


def _located(reference: str, directory: str) -> str:
    """With an absolute path, if it is one of a layout, an archive or a directory."""
    transport, colon, rest = reference.partition(":")
    if not colon or transport not in TRANSPORTS:
        return reference
    path, *tag = (rest,) if transport == "rootfs" else rest.split(":", 1)
    return ":".join((transport, os.path.normpath(os.path.join(directory, path)), *tag))


def _document(
    graph: Graph, execution: Execution, epoch: int | None, base: Base | None, tree: FileTree
) -> dict[str, Any]:
    """The configuration file of the image (OCI image-spec, "Image Configuration")."""
    result = graph.result
    inherited = base.parts.document if base and base.parts else {}
    times = [execution.made[entry.step].created for entry in result.history if entry.step is not None]
    created = str(inherited.get("created") or _time(next(filter(None, times), 0.0)))
    history: list[Any] = list(inherited.get("history") or ())
    for entry in result.history:
        made = None if entry.step is None else execution.made[entry.step]
        if epoch is not None:
            created = _time(epoch)
        elif made is not None and made.created:
            created = _time(made.created)
        row: dict[str, Any] = {"created": created, "created_by": entry.created_by}
        row["comment"] = entry.comment or "buildkit.dockerfile.v0"
        if made is None or not made.grew:
            row["empty_layer"] = True
        history.append(row)
    document: dict[str, Any] = {
        "created": created,
        **({"author": result.author} if result.author else {}),
        **describe_platform(parse_platform(result.platform, os.uname().machine)),
        "config": dict(result.config),
        "rootfs": {"type": "layers", "diff_ids": list(tree.diff_ids)},
        "history": history,
    }
    return document | ({BASE: tree.base} if tree.base else {})


def _time(seconds: float) -> str:
    """RFC 3339."""
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1e9):09}Z".replace(
        ".000000000Z", "Z"
    )
