"""What attestations of an image are to say of what was asked for."""

from __future__ import annotations

import os

from orchestra.errors import UserError
from orchestra.stacks.build_inputs import host_platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.driver.local.build.given import Attesting
    from orchestra.model.build import BuildSpec
    from orchestra.stacks.build_inputs import Read


def find_attesting(spec: BuildSpec, read: Read, names: Sequence[str]) -> Attesting | None:
    """What is to be said of the image, if anything. names: full ones that it gets. Raises UserError."""
    from orchestra.build.attestation.options import AttestationOptionError, parse_attestations

    try:
        wanted = parse_attestations(spec.attestations, spec.provenance, spec.sbom)
    except AttestationOptionError as error:
        raise UserError(f"attestations: {error}", hint="write true, false, or mode=min or max for provenance") from None
    if not wanted:
        return None
    from orchestra.build.attestation.provenance import Request
    from orchestra.driver.local.build.given import Attesting

    given = {f"build-arg:{name}": value for name, value in read.options.arguments.items() if value is not None}
    labels = {f"label:{name}": value for name, value in spec.labels.items()}
    target = {"target": spec.target} if spec.target else {}
    local = [name for name, one in read.directories.items() if one.source is None]
    shown = [f"context:{name}" if name else "context" for name in local]
    if "" in local or spec.dockerfile == "-" or spec.dockerfile_inline is not None:
        shown.append("dockerfile")
    request = Request(
        path=_path_in_context(spec, read.directories[""].path),
        text=read.recipe.text,
        platform=host_platform(),
        source=read.directories[""].source,
        arguments={**given, **labels, **target},
        directories=tuple(shown),
        secrets=tuple(secret.identifier for secret in spec.secrets),
        agents=tuple(entry.partition("=")[0] for entry in spec.ssh),
    )
    return Attesting(wanted, request, tuple(names))


def _path_in_context(spec: BuildSpec, directory: str) -> str:
    """Where directories lie on this machine is of no use elsewhere."""
    if spec.dockerfile_inline is not None or spec.dockerfile == "-":
        return "Dockerfile"
    path = os.path.relpath(os.path.join(directory, spec.dockerfile or "Dockerfile"), directory)
    return os.path.basename(path) if path.startswith("../") else path
