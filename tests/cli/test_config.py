"""``orchestra config``: what each option prints, by the installed command's own parser and runner."""

from __future__ import annotations

import json

import pytest

from orchestra.cli.start import start
from tests.driver.local.image.making import Made, entry, layer
from tests.driver.local.image.registry.faulty import Registry, serving

TEXT = """\
services:
  web: {image: "app:${TAG:-1}", depends_on: [db], volumes: ["./d:/d", "vol:/v"], env_file: web.env}
  db: {image: store, profiles: [data]}
  ai: {image: x, profiles: [extra], models: [m]}
volumes: {vol: }
models: {m: {model: ai/m}}
"""


@pytest.fixture
def config(tmp_path, monkeypatch, capsys):
    """Runs ``orchestra config …`` in a directory called ``shop``: exit code, standard output, standard error."""
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "compose.yaml").write_text(TEXT)
    (directory / "web.env").write_text("LEVEL=info\n")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("ORCHESTRA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAG", raising=False)

    def run(*argv: str, before: tuple[str, ...] = ("--profile", "data")) -> tuple[int, str, str]:
        code = start([*before, "config", *argv])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("--services", "db\nweb\n"),
        ("--volumes", "vol\n"),
        ("--networks", "default\n"),
        ("--images", "app:1\nstore\n"),
        ("--models", ""),
        ("--profiles", "data\nextra\n"),
    ],
)
def test_names_only(config, option, shown):
    assert config(option) == (0, shown, "")


def test_models_are_named_as_their_artifacts(config):
    assert config("--models", before=("--profile", "data", "--profile", "extra"))[1] == "ai/m\n"


def test_hashes_are_those_of_the_containers_and_change_with_the_file(config, tmp_path):
    first = dict(line.split() for line in config("--hash", "*")[1].splitlines())
    assert config("--hash", "web")[1] == f"web {first['web']}\n"
    (tmp_path / "shop" / "compose.yaml").write_text(TEXT.replace("image: store", "image: other"))
    second = dict(line.split() for line in config("--hash", "*")[1].splitlines())
    assert first["web"] == second["web"]
    assert first["db"] != second["db"]
    code, _, error = config("--hash", "nobody")
    assert (code, "no such service: nobody" in error) == (1, True)


def test_a_warning_is_shown_whether_or_not_the_load_is_remembered(config, tmp_path):
    (tmp_path / "shop" / "compose.yaml").write_text("services: {web: {image: 'x$MISSING_ONE'}}")
    shown = [config("-q", before=()) for _ in range(2)]
    assert shown[0] == shown[1]
    assert "the variable MISSING_ONE is not set" in shown[0][2]
    assert shown[0][:2] == (0, "")


def test_the_variables_of_the_file_and_of_its_surroundings(config, monkeypatch):
    assert config("--variables")[1].splitlines() == [
        "NAME   REQUIRED   DEFAULT VALUE   ALTERNATE VALUE",
        "TAG    false      1",
    ]
    tag = {"Name": "TAG", "DefaultValue": "1", "PresenceValue": "", "Required": False}
    assert json.loads(config("--variables", "--format", "json")[1]) == {"TAG": tag}
    assert config("--variables", "--format", "yaml")[1].splitlines() == [
        *("TAG:", "    name: TAG", '    defaultvalue: "1"', '    presencevalue: ""', "    required: false"),
    ]
    assert "service filtering is not applied" in config("--variables", "web")[2]
    monkeypatch.setenv("ORCHESTRA_TEST", "here")
    lines = config("--environment")[1].splitlines()
    assert "ORCHESTRA_TEST=here" in lines
    assert "COMPOSE_PROJECT_NAME=shop" in lines
    assert lines == sorted(lines, key=lambda line: line.partition("=")[0])


def test_passes_can_be_left_out(config, tmp_path):
    def web(*options: str) -> dict[str, object]:
        code, out, error = config("--format", "json", *options)
        assert code == 0, error
        service: dict[str, object] = json.loads(out)["services"]["web"]
        return service

    assert web("--no-interpolate")["image"] == "app:${TAG:-1}"
    assert web("--no-path-resolution")["volumes"][0]["source"] == "./d"  # type: ignore[index]
    assert web()["volumes"][0]["source"] == str(tmp_path / "shop" / "d")  # type: ignore[index]
    assert web()["environment"] == {"LEVEL": "info"}
    assert "environment" not in web("--no-env-resolution")
    assert web("--no-env-resolution")["env_file"] == [{"path": str(tmp_path / "shop" / "web.env"), "required": True}]
    assert "networks" not in web("--no-normalize")
    code, out, _ = config("--no-consistency", "--format", "json", before=())
    assert (code, list(json.loads(out)["services"])) == (0, ["web"])
    assert config("--no-consistency", "--services", before=())[1] == "web\n"
    assert config("--no-consistency", "--volumes", before=())[1] == "vol\n"
    assert config("--no-consistency", "--models", before=())[1] == "ai/m\n"
    assert config("--no-consistency", "--hash", "*", before=())[1].startswith("web ")
    assert config(before=())[0] == 15


def test_short_forms_with_variables_survive_without_interpolation(config, tmp_path):
    (tmp_path / "shop" / "compose.yaml").write_text(
        "services: {web: {image: x, ports: ['${PORT}:80'], deploy: {replicas: '${N}'}, volumes: ['${D}/a:/a']}}"
    )
    out = json.loads(config("--no-interpolate", "--format", "json", before=())[1])
    assert out["name"] == "shop"
    assert out["services"]["web"]["ports"] == ["${PORT}:80"]
    assert out["services"]["web"]["deploy"]["replicas"] == "${N}"


@pytest.fixture
def tagged(tmp_path, monkeypatch):
    """A registry, and the reference of an image in it that services of the file have."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "none"))
    with serving(Registry()) as registry:
        made = Made()
        reference = registry.put(made, made.image([layer(entry("x"))]))
        (tmp_path / "shop" / "compose.yaml").write_text(f"""\
services:
  a: {{image: "{reference}"}}
  b: {{image: "{reference}", entrypoint: [sh]}}
  fixed: {{image: "app@sha256:{"0" * 64}"}}
  tree: {{image: "rootfs:/"}}
  built: {{build: .}}
""")
        yield registry, reference


def test_tags_become_digests(config, tagged):
    registry, reference = tagged
    pinned = f"{reference}@{registry.tags['1']}"
    before = json.loads(config("--format", "json", before=())[1])
    code, out, error = config("--resolve-image-digests", "--format", "json", before=())
    assert code == 0, error
    after = json.loads(out)
    images = {name: service.pop("image", None) for name, service in after["services"].items()}
    assert images == {
        "a": pinned,
        "b": pinned,
        "fixed": f"app@sha256:{'0' * 64}",
        "tree": before["services"]["tree"]["image"],
        "built": None,
    }
    assert after["services"]["b"]["entrypoint"] == ["sh"]
    assert len(registry.asked("/manifests/1")) == 1, "each image once"


def test_digests_are_locked_by_a_file_beside_the_own(config, tagged, tmp_path):
    registry, reference = tagged
    code, out, error = config("--lock-image-digests", "a", "b", before=())
    assert code == 0, error
    pinned = f"{reference}@{registry.tags['1']}"
    assert out == f"services:\n  a:\n    image: {pinned}\n  b:\n    image: {pinned}\n"
    (tmp_path / "shop" / "lock.yaml").write_text(out)
    both = ("-f", "compose.yaml", "-f", "lock.yaml")
    assert config("--images", "a", before=both)[1] == f"{pinned}\n"
    other = Made()
    registry.put(other, other.image([layer(entry("y"))]))
    assert registry.tags["1"] in config("--lock-image-digests", "a", before=())[1], "nothing is remembered"


def test_a_registry_that_lacks_an_image_says_so(config, tagged):
    registry, reference = tagged
    registry.tags.clear()
    code, out, error = config("--lock-image-digests", before=())
    assert (code, out) != (0, "")
    assert out == ""
    assert reference in error


def test_the_output_goes_to_a_file(config, tmp_path):
    assert config("-o", "out.yaml")[:2] == (0, "")
    assert (tmp_path / "shop" / "out.yaml").read_text() == config()[1]


def test_the_schema_knows_short_forms(config):
    schema = json.loads(config("--schema")[1])
    ports = schema["$defs"]["Service"]["properties"]["ports"]
    assert {"type": ["string", "number"]} in ports["items"]["anyOf"]
    assert schema["$defs"]["Service"]["additionalProperties"] is False
    assert "^x-" in schema["$defs"]["Service"]["patternProperties"]


def test_explain_tells_where_a_value_is_from(config):
    code, out, _ = config("--explain", "web.image")
    assert code == 0
    assert out.startswith('services.web.image = "app:1"\n  set at ')
    assert "TAG is not set" in out


def test_a_check_names_what_has_no_effect(config, tmp_path):
    (tmp_path / "shop/compose.yaml").write_text("services: {web: {image: x, cgroup_parent: /x}}\n")
    code, out, told = config("-q")
    assert (code, out) == (0, "")
    assert "compose.yaml:1:28: cgroup_parent: " in told
    assert config()[2] == ""


def test_the_same_for_a_cluster(config, tmp_path):
    code, out, err = config("--to", "kubernetes")
    assert code == 0
    assert [part.split()[-1] for part in out.split("---\n")[0].splitlines() if part.startswith("kind:")]
    assert "kind: StatefulSet" in out
    assert "warning: compose.yaml:5:11: volumes.vol: a claim needs a size" in err
    listed = json.loads(config("--to", "kubernetes", "--format", "json")[1])
    assert out.count("\n---\n") + 1 == len(listed["items"])
    directory = tmp_path / "objects"
    directory.mkdir()
    assert config("--to", "kubernetes", "-o", str(directory))[:2] == (0, "")
    assert "---\n".join(path.read_text() for path in sorted(directory.iterdir())) == out
    assert config("--to", "kubernetes", "-q")[1] == ""
    assert config("--to", "kubernetes", "--services")[0] == 1
