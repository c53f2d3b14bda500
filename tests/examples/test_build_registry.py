"""Images that were built go to a registry and come back as they were, and are bases of builds elsewhere."""

from __future__ import annotations

import json
import urllib.request

import pytest

from orchestra.driver.local.image.content.indexes import members_here
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.documents.manifest import ATTESTED
from tests.driver.local.image.making import Made, entry, layer
from tests.driver.local.image.registry.real import REGISTRY, running
from tests.examples.conftest import Orchestra, needs_containers
from tests.examples.images import busybox_layer

pytestmark = [*needs_containers, pytest.mark.skipif(not REGISTRY, reason="needs docker-registry")]

FIRST = """\
FROM oci:base
RUN echo first > /first && mkdir /empty
ONBUILD RUN echo triggered > /triggered
LABEL made=here
CMD ["cat", "/first"]
"""
SECOND = """\
FROM HOST/first:1
RUN cat /first /triggered > /second
COPY --from=HOST/first:1 /first /copied
"""


def inspect(stack, name):
    [found] = json.loads(stack.run("image", "inspect", name).stdout)
    return found["Id"], found["Config"], found["RootFS"]["Layers"], found["RepoDigests"]


def test_what_was_built_is_pushed_pulled_and_built_upon(tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    made = Made()
    made.name(made.image([busybox_layer(), layer()], config={"Env": ["PATH=/bin"]})).write(context / "base")
    here, there = (Orchestra(context / "compose.yaml", tmp_path / name) for name in ("here", "there"))
    with running(tmp_path / "registry") as host:
        (context / "Dockerfile").write_text(FIRST)
        here.run("image", "build", "-q", "-t", f"{host}/first:1", str(context))
        here.run("image", "push", "-q", f"{host}/first:1")
        (context / "Dockerfile").write_text(SECOND.replace("HOST", host))
        there.run("image", "build", "-q", "-t", f"{host}/second:1", str(context))
        there.run("image", "push", "-q", f"{host}/second:1")
        here.run("image", "pull", "-q", f"{host}/second:1")
        for name in ("first", "second"):
            assert inspect(here, f"{host}/{name}:1") == inspect(there, f"{host}/{name}:1")
    # The registry is gone: what is here already is enough, and what is not is said.
    (context / "Dockerfile").write_text(f"FROM {host}/second:1\nRUN grep -c first /second /copied > /third\n")
    here.run("image", "build", "-q", str(context))
    (context / "Dockerfile").write_text(f"FROM {host}/third:1\n")
    failed = here.run("image", "build", "-q", str(context), code=None)
    assert failed.returncode != 0
    assert f"{context}/Dockerfile:1:1" in failed.stderr
    assert f"registry {host} cannot be reached" in failed.stderr
    assert here.run("image", "fsck").returncode == 0


def test_attestations_go_to_a_registry_with_the_image(tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    made = Made()
    status = entry("var/lib/dpkg/status", content=b"Package: tool\nVersion: 1\n")
    made.name(made.image([layer(status)])).write(context / "base")
    (context / "Dockerfile").write_text("FROM oci:base\nARG WORD\nCOPY file /\n")
    (context / "file").write_text("x")
    options = ("image", "build", "-q", "--attest", "type=provenance,mode=min", "--sbom", "true")
    arguments = ("--build-arg", "WORD=hidden", "--build-arg", "SOURCE_DATE_EPOCH=1000")
    homes = (tmp_path / name for name in ("here", "there", "elsewhere"))
    here, there, elsewhere = (Orchestra(context / "compose.yaml", home) for home in homes)
    with running(tmp_path / "registry") as host:
        name = f"{host}/shop:1"
        for one in (here, there):
            one.run(*options, *arguments, "-t", name, str(context))
        # The attestations are the same on both machines, and so is the index of them and the image.
        assert inspect(here, name) == inspect(there, name)
        here.run("image", "tag", name, f"{host}/other:1")
        here.run("image", "rm", name)
        here.run("image", "prune", "-f")
        here.run("image", "push", "-q", f"{host}/other:1")
        image, attestation = fetch(host, "manifests/1", "index")["manifests"]
        assert attestation["annotations"] == {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        }
        layers = fetch(host, f"manifests/{attestation['digest']}", "manifest")["layers"]
        statements = [fetch(host, f"blobs/{each['digest']}") for each in layers]
        # A pull leaves them in the registry; the first command that shows them fetches them.
        elsewhere.run("image", "pull", "-q", f"{host}/other:1")
        assert inspect(elsewhere, f"{host}/other:1") == inspect(here, f"{host}/other:1")
        content = ContentStore(f"{elsewhere.home}/data/content")
        top = content.entry(f"{host}/other:1").source
        assert len(members_here(content, top)) == 1
        assert attested(elsewhere, f"{host}/other:1") == statements
        assert len(members_here(content, top)) == 2
    assert attested(elsewhere, f"{host}/other:1") == statements
    assert json.loads(here.run("image", "inspect", "--attestations", f"{host}/other:1").stdout) == statements
    provenance, bill = statements
    assert provenance["subject"][0]["digest"] == {"sha256": image["digest"].removeprefix("sha256:")}
    assert "hidden" not in json.dumps(provenance)
    [base] = provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert base["uri"].startswith("pkg:oci/base@sha256:")
    assert [row["name"] for row in bill["predicate"]["packages"]] == ["tool"]
    for one in (here, elsewhere):
        assert one.run("image", "fsck").returncode == 0


def attested(stack, name):
    return json.loads(stack.run("image", "inspect", "--attestations", name).stdout)


def test_attestations_that_cannot_be_fetched(tmp_path):
    here, there = (Orchestra(tmp_path / "compose.yaml", tmp_path / name) for name in ("here", "there"))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    with running(tmp_path / "registry") as host:
        here.run("image", "build", "-q", "--provenance", "true", "-t", f"{host}/other:1", str(tmp_path))
        here.run("image", "push", "-q", f"{host}/other:1")
        there.run("image", "pull", "-q", f"{host}/other:1")
    failed = there.run("image", "inspect", "--attestations", f"{host}/other:1", code=None)
    assert failed.returncode != 0
    assert f"registry {host} cannot be reached" in failed.stderr


def test_attestations_that_the_disk_has_changed_are_not_shown(tmp_path):
    stack = Orchestra(tmp_path / "compose.yaml", tmp_path / "home")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    stack.run("image", "build", "-q", "--provenance", "true", "-t", "x:1", str(tmp_path))
    [path] = [
        one
        for one in (tmp_path / "home/data/content/blobs/sha256").iterdir()
        if b"resolvedDependencies" in one.read_bytes()
    ]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"slsa.dev", b"slsa.def"))
    for command in (("inspect", "--attestations", "x:1"), ("save", "-o", str(tmp_path / "x.tar"), "x:1")):
        failed = stack.run("image", *command, code=None)
        assert failed.returncode != 0
        assert f"{path} is damaged" in failed.stderr
        assert "slsa.def" not in failed.stdout


def test_platforms_and_attestations_go_through_an_archive(tmp_path):
    here, there = (Orchestra(tmp_path / "compose.yaml", tmp_path / name) for name in ("here", "there"))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
    options = ("--provenance", "true", "--platform", "linux/amd64,linux/s390x", "-t", "x:1")
    here.run("image", "build", "-q", *options, str(tmp_path))
    here.run("image", "tag", "x:1", "y:1")
    for source, target, path in ((here, there, "one.tar"), (there, here, "two.tar")):
        source.run("image", "save", "-o", str(tmp_path / path), "x:1", "y:1")
        target.run("image", "load", "-q", "-i", str(tmp_path / path))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert inspect(here, "x:1") == inspect(there, "x:1")
    assert attested(here, "y:1") == attested(there, "y:1") != []
    there.run("image", "prune", "-f")
    there.run("image", "load", "-q", "--platform", "linux/s390x", "-i", str(tmp_path / "one.tar"))
    assert json.loads(there.run("image", "inspect", "x:1").stdout)[0]["Architecture"] == "s390x"
    there.run("image", "rm", "x:1", "y:1")
    there.run("image", "prune", "-f")
    assert there.run("image", "fsck").returncode == 0
    assert ContentStore(f"{there.home}/data/content").blobs() == []


def fetch(host, path, kind="manifest"):
    accept = {"Accept": f"application/vnd.oci.image.{kind}.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}/v2/other/{path}", headers=accept)) as answer:
        return json.load(answer)


def test_attestations_that_are_asked_for_wrongly(tmp_path):
    stack = Orchestra(tmp_path / "compose.yaml", tmp_path / "home")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    failed = stack.run("image", "build", "--provenance", "mode=some", str(tmp_path), code=None)
    assert failed.returncode != 0
    assert "mode is some, not min or max" in failed.stderr


def test_stages_that_are_to_be_scanned_have_bills_of_their_own(tmp_path):
    stack = Orchestra(tmp_path / "compose.yaml", tmp_path / "home")
    for name in ("tools", "app"):
        (tmp_path / name).write_text(f"Package: of-{name}\nVersion: 1\n")
    (tmp_path / "Dockerfile").write_text("""\
FROM scratch AS tools
ARG BUILDKIT_SBOM_SCAN_STAGE=true
COPY tools /var/lib/dpkg/status
COPY app /made
FROM scratch
COPY app /var/lib/dpkg/status
COPY --from=tools /made /
""")
    bills = []
    for _ in range(2):
        # The second time nothing is carried out.
        stack.run("image", "build", "-q", "--sbom", "true", "-t", "x:1", str(tmp_path))
        bills = [one["predicate"] for one in attested(stack, "x:1")]
        assert [[row["name"] for row in bill["packages"]] for bill in bills] == [["of-app"], ["of-tools"]]
        assert len({bill["documentNamespace"] for bill in bills}) == 2
    off = ("--build-arg", "BUILDKIT_SBOM_SCAN_STAGE=false")
    stack.run("image", "build", "-q", "--sbom", "true", *off, "-t", "x:1", str(tmp_path))
    assert len(attested(stack, "x:1")) == 1


def test_each_platform_has_attestations_of_its_own(tmp_path):
    stack = Orchestra(tmp_path / "compose.yaml", tmp_path / "home")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
    platforms = "linux/amd64,linux/s390x"
    stack.run("image", "build", "-q", "--sbom", "true", "--platform", platforms, "-t", "x:1", str(tmp_path))
    content = ContentStore(f"{tmp_path}/home/data/content")
    members = members_here(content, content.entry("docker.io/library/x:1").source)
    assert [one.is_attestation for one in members] == [False, False, True, True]
    assert [one.manifest.annotations[ATTESTED] for one in members[2:]] == [one.manifest.digest for one in members[:2]]
