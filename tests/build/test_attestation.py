"""Provenance, bills of materials, and the options that ask for them."""

from __future__ import annotations

import base64
import json
import struct

import pytest

from orchestra.build.attestation.bill import render_bill
from orchestra.build.attestation.options import (
    AttestationOptionError,
    Attestations,
    Bill,
    Provenance,
    Version,
    parse_attestations,
    parse_bill,
    parse_provenance,
)
from orchestra.build.attestation.packages import (
    Package,
    System,
    parse_apk,
    parse_dpkg,
    parse_rpm,
    parse_system,
    url_of,
)
from orchestra.build.attestation.provenance import Course, Request, render_provenance
from orchestra.build.attestation.statement import Material, image_url, render_statement
from orchestra.build.step import (
    BaseImage,
    BindMount,
    Graph,
    History,
    Label,
    Network,
    Result,
    Run,
    SecretMount,
)

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", Provenance()),
        ("", Provenance()),
        ("false", None),
        ("disabled=true,mode=max", None),
        ("mode=min", Provenance(is_full=False)),
        ("mode=min,version=v0.2,inline-only=true", Provenance(is_full=False, version=Version.V02)),
        ("builder-id=https://ci/1,reproducible=true", Provenance(builder="https://ci/1", is_reproducible=True)),
    ],
)
def test_provenance_is_asked_for(text, expected):
    assert parse_provenance(text) == expected


def test_the_narrower_option_counts_more():
    entries = ("type=provenance,mode=min", "type=sbom,generator=example.org/scan")
    found = parse_attestations(entries, None, None)
    assert found == Attestations(Provenance(is_full=False), Bill("example.org/scan"))
    assert parse_attestations(entries, "true", "false") == Attestations(Provenance())
    assert not parse_attestations((), "false", None)


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_provenance, "mode=middle", "mode is middle, not min or max"),
        (parse_provenance, "version=v2", r"version is v2, not v0\.2 or v1"),
        (parse_provenance, "reproducible=maybe", "not true or false"),
        (parse_provenance, "maximal", "maximal is not known"),
        (parse_bill, "scanner=x", "scanner is not known"),
        (lambda text: parse_attestations((text,), None, None), "type=else", "not provenance or sbom"),
    ],
)
def test_options_that_are_wrong(parse, text, message):
    with pytest.raises(AttestationOptionError, match=message):
        parse(text)


@pytest.fixture
def course():
    mounts = (SecretMount("token", "/run/secrets/token"), BindMount("/src", 0))
    run = Run(0, ("/bin/sh", "-c", "true"), (("A", "1"),), mounts=mounts, proxies=(("http_proxy", "http://me:word@p"),))
    graph = Graph(
        (BaseImage("alpine:3.17", "linux/amd64"), run),
        {1: Label("", 1, 1, "RUN true", 3, 4)},
        Result(1, 0, {}, (History("RUN true", 1),), "linux/amd64"),
    )
    materials = (Material("https://example.org/x", DIGEST), Material("https://example.org/x", DIGEST))
    return Course(graph, materials, {1: {"digest": DIGEST}}, Network.NONE, 1000.5, "one", 0.0)


REQUEST = Request(
    path="Dockerfile",
    text="FROM alpine:3.17\n",
    platform="linux/amd64",
    arguments={"build-arg:WORD": "secret-ish", "target": "final"},
    directories=("context", "dockerfile"),
    secrets=("token",),
)


def test_full_provenance_has_the_steps_and_the_dockerfile(course):
    found = render_provenance(REQUEST, course, Provenance(builder="https://ci/1"))
    definition, details = found["buildDefinition"], found["runDetails"]
    assert definition["externalParameters"]["request"]["args"] == {"build-arg:WORD": "secret-ish", "target": "final"}
    assert definition["externalParameters"]["request"]["secrets"] == [{"id": "token"}]
    base, run = definition["internalParameters"]["buildConfig"]["llbDefinition"]
    assert base == {"id": "step0", "op": {"BaseImage": {"reference": "alpine:3.17", "platform": "linux/amd64"}}}
    assert (run["inputs"], run["op"]["Run"]["arguments"]) == (["step0:0"], ["/bin/sh", "-c", "true"])
    assert definition["resolvedDependencies"] == [{"uri": "https://example.org/x", "digest": {"sha256": "a" * 64}}]
    metadata = details["metadata"]
    assert details["builder"] == {"id": "https://ci/1"}
    assert (metadata["startedOn"], metadata["finishedOn"]) == ("1970-01-01T00:00:00Z", "1970-01-01T00:16:40Z")
    assert metadata["buildkit_completeness"] == {"request": True, "resolvedDependencies": False}
    [source] = metadata["buildkit_metadata"]["source"]["infos"]
    assert base64.b64decode(source["data"]) == b"FROM alpine:3.17\n"
    assert metadata["buildkit_metadata"]["layers"] == {"step1:0": [[{"digest": DIGEST}]]}
    # Proxies may have passwords in them.
    assert "word@p" not in json.dumps(found)


def test_little_provenance_keeps_values_and_commands_to_itself(course):
    found = render_provenance(REQUEST, course, Provenance(is_full=False))
    text = json.dumps(found)
    for hidden in ("secret-ish", "token", "/bin/sh", "RlJPTSBhbHBpbmU6My4xNwo"):
        assert hidden not in text
    assert found["buildDefinition"]["externalParameters"]["request"]["args"] == {"target": "final"}
    assert found["runDetails"]["metadata"]["buildkit_completeness"]["request"] is False


def test_the_older_version_says_the_same(course):
    found = render_provenance(REQUEST, course, Provenance(version=Version.V02))
    assert found["invocation"]["configSource"] == {"entryPoint": "Dockerfile"}
    assert found["invocation"]["parameters"]["frontend"] == "dockerfile.v0"
    assert found["metadata"]["completeness"] == {"parameters": True, "environment": True, "materials": False}
    assert found["metadata"]["https://mobyproject.org/buildkit@v1#hermetic"] is True
    assert len(found["buildConfig"]["llbDefinition"]) == 2


def test_what_comes_from_a_repository_is_complete(course):
    source = Material("https://example.org/x.git#main", f"sha1:{'b' * 40}")
    request = Request("Dockerfile", "", "linux/amd64", source)
    found = render_provenance(request, course, Provenance(is_full=False))
    assert found["buildDefinition"]["externalParameters"]["configSource"] == {
        "uri": "https://example.org/x.git#main",
        "digest": {"sha1": "b" * 40},
        "path": "Dockerfile",
    }
    assert found["runDetails"]["metadata"]["buildkit_completeness"] == {"request": True, "resolvedDependencies": True}


@pytest.mark.parametrize(("own", "build", "hermetic"), [("default", "default", False), ("none", "host", True)])
def test_commands_with_a_network_are_not_hermetic(own, build, hermetic):
    run = Run(0, ("true",), (), network=Network(own))
    graph = Graph((BaseImage("x", "linux/amd64"), run), {}, Result(1, 0, {}, (), "linux/amd64"))
    found = render_provenance(REQUEST, Course(graph, (), {}, Network(build), 0.0), Provenance())
    assert found["runDetails"]["metadata"]["buildkit_hermetic"] is hermetic
    # Without a beginning there are no times: the same build says the same.
    assert {"startedOn", "finishedOn", "invocationId"}.isdisjoint(found["runDetails"]["metadata"])


def test_a_statement_is_about_a_manifest():
    name = image_url("localhost:5000/shop", "1", "linux/arm64/v8")
    assert name == "pkg:docker/localhost:5000/shop@1?platform=linux%2Farm64%2Fv8"
    statement = render_statement((), DIGEST, "kind", {"a": 1})
    assert statement["subject"] == [{"name": "_", "digest": {"sha256": "a" * 64}}]
    assert (statement["predicateType"], statement["predicate"]) == ("kind", {"a": 1})


DPKG = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.2.13.dfsg-1)
Version: 1:1.2.13.dfsg-1+b1
Maintainer: Mark <mark@example.org>
Description: compression library
 Package: not-this-one
 .

Package: gone
Status: deinstall ok config-files
Version: 1

Package: part
Version: 2
"""


def test_packages_of_dpkg():
    found = list(parse_dpkg(DPKG))
    assert [one.name for one in found] == ["zlib1g", "part"]
    debian = parse_system('NAME="Debian"\nID=debian\nVERSION_ID="12"\nID_LIKE=x\n')
    assert url_of(found[0], debian) == (
        "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1+b1?arch=amd64&distro=debian-12&upstream=zlib%401%3A1.2.13.dfsg-1"
    )
    assert url_of(found[1], System()) == "pkg:deb/debian/part@2"


def test_packages_of_apk():
    [found] = parse_apk("C:Q1abc=\nP:busybox\nV:1.35.0-r17\nA:x86_64\nL:GPL-2.0-only\no:busybox\nF:bin\nR:busybox\n\n")
    assert found == Package("apk", "busybox", "1.35.0-r17", "x86_64", license="GPL-2.0-only", source="busybox")


def rpm_header(fields: dict[int, str | int]) -> bytes:
    """As rpm(8) writes it: the entries in order of their tags."""
    entries, store = b"", b""
    for tag, value in fields.items():
        entries += struct.pack(">IIII", tag, 4 if isinstance(value, int) else 6, len(store), 1)
        store += value.to_bytes(4) if isinstance(value, int) else value.encode() + b"\0"
    return struct.pack(">II", len(fields), len(store)) + entries + store


def test_packages_of_rpm():
    whole = rpm_header({1000: "bash", 1001: "5.2", 1002: "1.fc40", 1003: 4, 1014: "GPL", 1022: "x86_64", 9999: "?"})
    key = rpm_header({1000: "gpg-pubkey", 1001: "1"})
    [found] = parse_rpm([whole, key, b"", whole[:20], b"\xff" * 40])
    assert url_of(found, System("fedora", "40")) == (
        "pkg:rpm/fedora/bash@5.2-1.fc40?arch=x86_64&distro=fedora-40&epoch=4"
    )


def test_a_bill_has_each_package_once():
    rows = [Package("deb", "b", "2"), Package("deb", "a", "1", license="MIT", supplier="Me"), Package("deb", "b", "2")]
    bill = render_bill(rows, System("debian"), DIGEST, 0, "orchestra-1")
    assert [row["name"] for row in bill["packages"]] == ["a", "b"]
    assert (bill["spdxVersion"], bill["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    assert bill["creationInfo"] == {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: orchestra-1"]}
    first = bill["packages"][0]
    assert (first["licenseDeclared"], first["licenseComments"]) == ("NOASSERTION", "MIT")
    assert {row["relatedSpdxElement"] for row in bill["relationships"]} == {row["SPDXID"] for row in bill["packages"]}
    assert bill == render_bill(rows[::-1], System("debian"), DIGEST, 0, "orchestra-1")
