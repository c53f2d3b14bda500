"""A stack goes to a registry and comes back, with the registry that everybody runs."""

from __future__ import annotations

import json
import os
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
    request.add_header("Accept", "application/vnd.oci.image.manifest.v1+json")
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
    refused = warm.run([*command, "up", "-d"], env=stack.environment)
    assert refused.returncode == 1
    assert "has files from elsewhere that were not accepted yet" in refused.stderr
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
