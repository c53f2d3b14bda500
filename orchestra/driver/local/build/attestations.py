"""Attestations of a built image: a manifest of their own, which an index names beside the image's.

Source: BuildKit, docs/attestations/attestation-storage.md.
"""

from __future__ import annotations

import os
import posixpath
import time
from typing import TYPE_CHECKING, Any

from orchestra import __version__
from orchestra.build.attestation.bill import KIND, render_bill
from orchestra.build.attestation.provenance import KINDS, Course, render_provenance
from orchestra.build.attestation.statement import Material, image_url, package_url, render_statement
from orchestra.driver.local.build.packages import read_packages, read_system
from orchestra.driver.local.image.adding import add_document
from orchestra.driver.local.image.documents.manifest import (
    ATTESTATION,
    ATTESTATION_MANIFEST,
    ATTESTED,
    CONFIG,
    IN_TOTO,
    MANIFEST,
    PREDICATE,
)
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.driver.local.image.naming.reference import TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.build.step import BaseImage, Graph
    from orchestra.driver.local.build.builder import Base
    from orchestra.driver.local.build.execute import Execution
    from orchestra.driver.local.build.given import Attesting, Given
    from orchestra.driver.local.image.content.parts import Parts
    from orchestra.driver.local.image.content.store import ContentStore

UNKNOWN = {"architecture": "unknown", "os": "unknown"}


def add_attestations(content: ContentStore, statements: Sequence[Mapping[str, Any]], image: str) -> dict[str, Any]:
    """Store them. image: the digest of the manifest that they are about. Returns the row for an index."""
    layers = []
    for statement in statements:
        layer, _ = add_document(content, statement, IN_TOTO)
        layers.append({**layer, "annotations": {PREDICATE: statement["predicateType"]}})
    diff_ids = [layer["digest"] for layer in layers]
    config, _ = add_document(
        content, {**UNKNOWN, "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}, CONFIG
    )
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    row, _ = add_document(content, manifest, MANIFEST)
    notes = {ATTESTATION: ATTESTATION_MANIFEST, ATTESTED: image}
    return {**row, "annotations": notes, "platform": UNKNOWN}


def make_statements(
    attesting: Attesting,
    course: Course,
    image: str,
    layers: Sequence[str],
    stages: Mapping[str, Sequence[str]],
    warn: Callable[[str], None],
) -> list[dict[str, object]]:
    """image: the digest of its manifest. layers: its directories, topmost first. stages: those of further stages that
    the bill of materials covers, by name. Raises DriverError.
    """
    platform = course.graph.result.platform
    urls = [image_url(name.familiar, name.tag, platform) for name in map(parse_name, attesting.names)]
    found = []
    provenance, bill = attesting.wanted.provenance, attesting.wanted.bill
    if provenance is not None:
        predicate = render_provenance(attesting.request, course, provenance)
        found.append(render_statement(urls, image, KINDS[provenance.version], predicate))
    if bill is not None:
        if bill.generator:
            warn(f"{bill.generator} is not run: the bill of materials has what the package managers of the image know")
        for stage, directories in {"": layers, **stages}.items():
            packages, system = read_packages(directories, warn), read_system(directories)
            predicate = render_bill(packages, system, image, course.time, f"orchestra-{__version__}", stage)
            found.append(render_statement(urls, image, KIND, predicate))
    return found


def course_of(
    graph: Graph, execution: Execution, given: Given, bases: Mapping[BaseImage, Base], parts: Parts, began: float
) -> Course:
    """What has happened, for its provenance. parts: of the image. began: Unix time.

    With SOURCE_DATE_EPOCH, without what differs from one build to the next.
    """
    materials = (*execution.materials(), *(_material(image, base) for image, base in bases.items()))
    layers = _layers_of_steps(graph, execution, parts)
    network = given.run.network
    if given.epoch is not None:
        return Course(graph, materials, layers, network, given.epoch)
    return Course(graph, materials, layers, network, time.time(), os.urandom(16).hex(), began)


def _material(image: BaseImage, base: Base) -> Material:
    transport, _, rest = image.reference.partition(":")
    if base.parts is None:
        return Material(image.reference)
    if transport in TRANSPORTS:
        # Where it lies on this machine means nothing elsewhere.
        name = posixpath.basename(rest.partition(":")[0])
        return Material(package_url("oci", name, base.digest, {"platform": image.platform}), base.digest)
    parsed = parse_name(image.reference)
    return Material(image_url(parsed.familiar, parsed.tag, image.platform, parsed.digest), base.digest)


def _layers_of_steps(graph: Graph, execution: Execution, parts: Parts) -> dict[int, dict[str, object]]:
    """The descriptors of the layers of the image, by the steps that made them."""
    steps = [entry.step for entry in graph.result.history if entry.step is not None]
    made = {number: execution.made[number] for number in steps}
    blobs = {number: parts.layers[len(one.tree.diff_ids) - 1] for number, one in made.items() if one.grew}
    return {
        number: {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}
        for number, blob in blobs.items()
    }
