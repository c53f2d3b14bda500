"""The packages of an image as a bill of materials: SPDX 2.3 in JSON (https://spdx.github.io/spdx-spec/v2.3)."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from orchestra.build.attestation.packages import url_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.build.attestation.packages import Package, System

KIND = "https://spdx.dev/Document"
DATABASES = {"deb": "dpkg", "apk": "apk", "rpm": "rpm"}
_UNKNOWN = "NOASSERTION"


def render_bill(
    packages: Iterable[Package], system: System, digest: str, created: float, tool: str, stage: str = ""
) -> dict[str, object]:
    """The predicate: what the databases of package managers say, and nothing besides.

    digest: of the image's manifest. created: Unix time. tool: this program with its version. stage: the one that they
    are of, if they are not those of the image itself.
    """
    rows = {url_of(package, system): package for package in packages}
    described = [_package(url, package) for url, package in sorted(rows.items())]
    document = "SPDXRef-DOCUMENT"
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": document,
        "dataLicense": "CC0-1.0",
        "name": f"{digest} {stage}".rstrip(),
        "documentNamespace": f"urn:orchestra:bill:{digest}{f':{stage}' if stage else ''}",
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created)),
            "creators": [f"Tool: {tool}"],
        },
        "packages": described,
        "relationships": [
            {"spdxElementId": document, "relationshipType": "DESCRIBES", "relatedSpdxElement": row["SPDXID"]}
            for row in described
        ],
    }


def _package(url: str, package: Package) -> dict[str, object]:
    """A license is only taken over as a comment: what packages write is often no expression of SPDX."""
    return {
        "SPDXID": f"SPDXRef-{hashlib.sha256(url.encode()).hexdigest()[:32]}",
        "name": package.name,
        "versionInfo": package.version,
        "supplier": f"Organization: {package.supplier}" if package.supplier else _UNKNOWN,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
        **({"licenseComments": package.license} if package.license else {}),
        "copyrightText": _UNKNOWN,
        "sourceInfo": f"from the database of {DATABASES[package.kind]}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}],
    }
