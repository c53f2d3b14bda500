"""A stack goes to a registry and comes back, with the registry that everybody runs."""

from __future__ import annotations

import io
import json
import os
import tarfile
import urllib.request

import pytest

from tests import warm
from tests.driver.local.image.making import needs_root
from tests.driver.local.image.registry.real import REGISTRY, running, running_closed

pytestmark = [*needs_root, pytest.mark.skipif(not REGISTRY, reason="needs docker-registry (Debian: docker-registry)")]

TEXT = """\
services:
  web:
    image: x:${TAG:-1}
    extends: {file: base.yaml, service: base}
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def folder(tmp_path, home, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "compose.yaml").write_text(TEXT)
    (folder / "base.yaml").write_text("services: {base: {command: sleep 1}}\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def publish(folder, orchestra):
    """Publish, and return the reference with the digest."""

    def publish(*arguments):
        code, out, err = orchestra("publish", *arguments)
        assert code == 0, err
        (*_, last) = out.splitlines()
        return last.removeprefix("Published ")

    return publish


def services(orchestra, reference, *options):
    code, out, err = orchestra("-f", reference, *options, "config", "--format", "json")
    assert code == 0, err
    return json.loads(out)["services"]


def manifest(host, name, tag):
    request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{tag}")
    kinds = (f"application/vnd.oci.image.{kind}.v1+json" for kind in ("manifest", "index"))
    request.add_header("Accept", ", ".join(kinds))
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def test_a_stack_comes_back_as_it_was(host, orchestra, publish):
    reference = publish(f"{host}/team/shop:1")
    assert reference.startswith(f"oci://{host}/team/shop:1@sha256:")
    for each in (f"oci://{host}/team/shop:1", reference):
        code, out, _ = orchestra("-f", each, "config", "--format", "json")
        loaded = json.loads(out)
        assert code == 0
        assert loaded["name"] == "shop"
        assert loaded["services"]["web"]["image"] == "x:1"
        assert loaded["services"]["web"]["command"] == ["sleep", "1"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_it_is_written_as_docker_compose_writes_it(host, orchestra, publish, version):
    publish("--oci-version", version, f"{host}/team/v{version}:1")
    found = manifest(host, f"team/v{version}", "1")
    if version == "1.1":
        assert found["artifactType"] == "application/vnd.docker.compose.project"
        assert found["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    else:
        assert "artifactType" not in found
        assert found["config"]["mediaType"] == "application/vnd.docker.compose.config.empty.v1+json"
    main, base = found["layers"]
    assert main["mediaType"] == base["mediaType"] == "application/vnd.docker.compose.file+yaml"
    assert main["annotations"] == {"com.docker.compose.file": "compose.yaml"}
    assert base["annotations"]["com.docker.compose.extends"] == "true"
    assert services(orchestra, f"oci://{host}/team/v{version}:1")["web"]["image"] == "x:1"


def test_files_are_merged_in_their_order(host, orchestra, folder, publish):
    (folder / "more.yaml").write_text("services: {web: {image: y}}\n")
    code, _, err = orchestra("-f", "compose.yaml", "-f", "more.yaml", "publish", f"{host}/team/merged")
    assert code == 0, err
    assert services(orchestra, f"oci://{host}/team/merged")["web"]["image"] == "y"


def test_a_digest_that_is_here_needs_no_registry(orchestra, folder, publish, tmp_path):
    with running(tmp_path / "short-lived") as host:
        reference = publish(f"{host}/shop")
        assert services(orchestra, f"oci://{host}/shop")
    name, _, digest = reference.partition(":latest@")
    pinned = f"{name}@{digest}"
    assert services(orchestra, pinned)["web"]["image"] == "x:1"
    code, _, err = orchestra("-f", f"oci://{host}/shop", "config")
    assert code == 15
    assert f"the copy fetched before can be used without a network: {pinned}" in err


def test_a_tag_that_moves_is_followed(host, orchestra, folder, publish):
    publish(f"{host}/team/moving")
    assert services(orchestra, f"oci://{host}/team/moving")["web"]["image"] == "x:1"
    (folder / "compose.yaml").write_text("services: {web: {image: y}}\n")
    publish(f"{host}/team/moving")
    assert services(orchestra, f"oci://{host}/team/moving")["web"]["image"] == "y"


def test_include_and_extends_take_it(host, orchestra, folder, publish):
    publish(f"{host}/team/part")
    (folder / "compose.yaml").write_text(
        f"include: ['oci://{host}/team/part']\n"
        f"services: {{own: {{extends: {{file: 'oci://{host}/team/part', service: web}}}}}}\n"
    )
    code, out, err = orchestra("config", "--services")
    assert (code, out) == (0, "own\nweb\n"), err


def test_files_of_variables_go_along_only_when_asked(host, orchestra, folder, publish):
    (folder / "compose.yaml").write_text("services: {web: {image: x, env_file: web.env}}\n")
    (folder / "web.env").write_text("A=sentinel\n")
    code, _, err = orchestra("publish", f"{host}/team/env")
    assert code == 1
    assert "service web: web.env (use --with-env to publish it)" in err
    publish("--yes", f"{host}/team/env")
    assert len(manifest(host, "team/env", "latest")["layers"]) == 1
    publish("--with-env", f"{host}/team/env")
    assert services(orchestra, f"oci://{host}/team/env")["web"]["environment"] == {"A": "sentinel"}


def test_doubts_are_told_before_anything_is_sent(host, orchestra, folder):
    (folder / "compose.yaml").write_text(
        "services:\n  web:\n    image: x\n    environment: {DB_PASSWORD: sentinel, TOKEN: '${TOKEN-}'}\n"
        "    volumes: ['./site:/www']\n    configs: [c]\nconfigs: {c: {file: ./c.conf}}\n"
    )
    (folder / "c.conf").write_text("x")
    code, out, err = orchestra("publish", f"{host}/team/doubtful")
    assert (code, out) == (1, "")
    assert "service web: ./site:/www" in err
    assert "config c: ./c.conf" in err
    assert "service web: the value of DB_PASSWORD" in err
    assert "sentinel" not in err
    assert "TOKEN" not in err
    assert orchestra("-f", f"oci://{host}/team/doubtful", "config")[0] == 15


def test_a_dry_run_sends_nothing(host, orchestra, folder):
    code, out, err = orchestra("publish", "--dry-run", f"{host}/team/dry")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"Would publish oci://{host}/team/dry:latest"
    assert orchestra("-f", f"oci://{host}/team/dry", "config")[0] == 15


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("services: {web: {build: .}}\n", "it has only a build section for web"),
        ("include: [part.yaml]\nservices: {web: {image: x}}\n", "includes files of this machine cannot be published"),
    ],
)
def test_what_is_of_no_use_elsewhere_is_refused(host, orchestra, folder, text, told):
    (folder / "compose.yaml").write_text(text)
    (folder / "part.yaml").write_text("services: {part: {image: x}}\n")
    code, _, err = orchestra("publish", "-y", f"{host}/team/refused")
    assert code == 1
    assert told in err


def test_a_name_with_a_digest_is_refused(host, orchestra, folder):
    code, _, err = orchestra("publish", f"{host}/shop@sha256:{'0' * 64}")
    assert (code, "has a digest" in err) == (1, True)


def test_a_registry_that_wants_a_login_says_so(orchestra, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with running_closed(tmp_path / "closed") as host:
        port = host.rpartition(":")[2]
        code, _, err = orchestra("publish", f"localhost:{port}/shop")
    assert code == 1
    assert "requires a login" in err


def test_an_image_is_no_stack(host, orchestra, put, folder):
    put(f"{host}/team/image:1")
    assert orchestra("image", "push", "-q", f"{host}/team/image:1")[0] == 0
    code, _, err = orchestra("-f", f"oci://{host}/team/image:1", "config")
    assert code == 15
    assert "is not of type application/vnd.docker.compose.project" in err


def tar_of(tmp_path, name):
    (tmp_path / name).write_text(name)
    with io.BytesIO() as data:
        with tarfile.open(fileobj=data, mode="w") as archive:
            archive.add(tmp_path / name, name)
        return data.getvalue()


def push_for_two_platforms(host, name, orchestra):
    """An index of two manifests that share their layer; the digest."""
    from orchestra.driver.local.image.documents.manifest import INDEX, MANIFEST
    from orchestra.driver.local.image.naming.name import parse_name
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.artifact import digest_of
    from orchestra.driver.local.image.registry.places import find_place
    from orchestra.driver.local.image.registry.repository import Repository
    from orchestra.driver.local.image.registry.session import Session

    assert orchestra("image", "push", "-q", f"{host}/{name}")[0] == 0
    target = parse_name(f"{host}/{name}")
    with Session({}, Access().patience) as session:
        repository = Repository(session, find_place(target, {}))
        _, data = repository.resolve(target.tag)
        other = json.dumps(json.loads(data)).encode()
        repository.put_manifest(digest_of(other), MANIFEST, other)
        rows = [
            {"mediaType": MANIFEST, "digest": digest_of(each), "size": len(each), "platform": platform}
            for each, platform in (
                (data, {"os": "linux", "architecture": "amd64"}),
                (other, {"os": "linux", "architecture": "arm64"}),
            )
        ]
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}).encode()
        repository.put_manifest(target.tag, INDEX, index)
    return digest_of(index)


def test_an_application_brings_its_images(host, orchestra, put, folder, publish, tmp_path, home):
    with running(tmp_path / "elsewhere") as elsewhere:
        put(f"{elsewhere}/web:1", tar_of(tmp_path, "only-of-web"))
        digest = push_for_two_platforms(elsewhere, "web:1", orchestra)
        assert orchestra("image", "rm", f"{elsewhere}/web:1")[0] == 0
        put(f"{host}/here:1")
        assert orchestra("image", "push", "-q", f"{host}/here:1")[0] == 0
        (folder / "compose.yaml").write_text(
            f"services:\n  web: {{image: '{elsewhere}/web:1'}}\n  too: {{image: '{elsewhere}/web:1'}}\n"
            f"  here:\n    image: '{host}/here:1'\n    profiles: [more]\n    volumes:\n      - /other\n"
            f"      - {{type: image, source: '{elsewhere}/web:1', target: /a$$b, image: {{subpath: etc}}}}\n"
        )
        reference = publish("--app", f"{host}/team/app:1")
    found = services(orchestra, reference, "--profile", "*")
    images = {key: each["image"] for key, each in found.items()}
    _, mounted = found["here"]["volumes"]
    assert mounted["source"] == f"{host}/team/app@{digest}"
    assert (mounted["target"], mounted["image"]) == ("/a$$b", {"subpath": "etc"})
    own = manifest(host, "team/app", images["here"].rpartition("@")[2])
    assert own["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert images == {
        "web": f"{host}/team/app@{digest}",
        "too": f"{host}/team/app@{digest}",
        "here": f"{host}/team/app@{images['here'].rpartition('@')[2]}",
    }
    assert orchestra("-f", reference, "pull", "-q")[0] == 0, "the other registry is gone"
    assert os.listdir(f"{home.data}/content/ingest") == []


def test_an_application_is_listed_for_docker(orchestra, put, folder, publish, tmp_path):
    with running(tmp_path / "own") as host:
        put(f"{host}/listed:1")
        assert orchestra("image", "push", "-q", f"{host}/listed:1")[0] == 0
        (folder / "compose.yaml").write_text(f"services: {{web: {{image: '{host}/listed:1'}}}}\n")
        code, out, err = orchestra("publish", "--app", "--dry-run", f"{host}/team/listed")
        assert (code, err) == (0, "")
        assert out.splitlines()[-2:] == [
            f"Would copy {host}/listed:1 to {host}/team/listed",
            f"Would publish oci://{host}/team/listed:latest",
        ]
        revisions = tmp_path / "own/data/docker/registry/v2/repositories/team/listed/_manifests/revisions/sha256"
        assert not revisions.exists()
        reference = publish("--app", f"{host}/team/listed")
        found = [manifest(host, "team/listed", f"sha256:{each.name}") for each in revisions.iterdir()]
    (index,) = [each for each in found if "subject" in each]
    assert index["subject"]["digest"] == reference.rpartition("@")[2]
    assert index["artifactType"] == "application/vnd.docker.compose.project"
    (image,) = index["manifests"]
    assert image["annotations"] == {"org.opencontainers.image.ref.name": f"{host}/listed:1"}


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("image: 'rootfs:/'", "the image of service web cannot be included: rootfs:/ is not from a registry"),
        ("image: '{host}/nosuch:1'", "nothing was published: an image cannot be included"),
        (
            "image: x, volumes: [{{type: image, source: 'rootfs:/x', target: /x}}]",
            "an image mounted by service web cannot be included: rootfs:/x is not from a registry",
        ),
    ],
)
def test_an_application_that_is_not_complete_is_not_published(host, orchestra, folder, service, told):
    (folder / "compose.yaml").write_text(f"services: {{web: {{{service.format(host=host)}}}}}\n")
    code, _, err = orchestra("publish", "--app", f"{host}/team/incomplete")
    assert code == 1
    assert told in err
    assert orchestra("-f", f"oci://{host}/team/incomplete", "config")[0] == 15


@pytest.mark.parametrize("name", ["../compose.yaml", "/etc/x", "a/b", "..", ""])
def test_names_that_lead_elsewhere_are_refused(host, orchestra, folder, name):
    from orchestra.driver.local.image.naming.name import parse_name
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.artifact import Part, push_artifact
    from orchestra.stacks.sources.registry import COMPOSE_FILE, ENV_FILE, ENV_NAME, FILE_NAME, PROJECT

    parts = (
        Part(COMPOSE_FILE, b"services: {web: {image: x}}\n", {FILE_NAME: "compose.yaml"}),
        Part(ENV_FILE, b"A=1\n", {ENV_NAME: name}),
    )
    push_artifact(parse_name(f"{host}/team/bad"), PROJECT, parts, "2026-01-01T00:00:00Z", Access({}))
    code, _, err = orchestra("-f", f"oci://{host}/team/bad", "config")
    assert code == 15
    assert "which is refused" in err


def test_it_may_be_switched_off(host, orchestra, folder, monkeypatch):
    monkeypatch.setenv("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "0")
    code, _, err = orchestra("-f", f"oci://{host}/team/shop", "config")
    assert (code, "switched off by COMPOSE_EXPERIMENTAL_OCI_REMOTE" in err) == (15, True)


@pytest.mark.timeout(180)
def test_a_stack_from_elsewhere_is_accepted_once(host, orchestra, folder, publish, write_stack):
    stack = write_stack('services: {web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true}}\n')
    reference = f"oci://{host}/team/running"
    stack.run("publish", "-y", reference)
    command = ["-p", "running", "-f", reference]
    for unasked in ("up -d", "create", "scale web=2", "run -T web true"):
        refused = warm.run([*command, *unasked.split()], env=stack.environment)
        assert refused.returncode == 1, unasked
        assert "has files from elsewhere that were not accepted yet" in refused.stderr, unasked
    assert not os.path.exists(f"{stack.home}/run/stacks/running")
    try:
        for options in (["-y"], []):
            done = warm.run([*command, "up", "-d", *options], env=stack.environment)
            assert done.returncode == 0, done.stderr
        listed = warm.run([*command, "ps", "--format", "json"], env=stack.environment)
        assert '"running-web-1"' in listed.stdout
    finally:
        done = warm.run([*command, "down", "-t", "0"], env=stack.environment)
    assert done.returncode == 0, done.stderr
