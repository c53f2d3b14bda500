"""``deploy --push``: images that were built here get to their registry, and a swarm is told their digests."""

from __future__ import annotations

import io
import tarfile

import pytest

from orchestra.cli.start import start
from tests.cluster.engine import Engine, listening
from tests.driver.local.image.registry.real import REGISTRY, running

pytestmark = pytest.mark.skipif(REGISTRY is None, reason="docker-registry must be installed")


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with running(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def orchestra(engine, registry, tmp_path, monkeypatch, capsys):
    """Runs a command line beside a file whose service is built: exit code, standard output, standard error."""
    directory = tmp_path / "shop"
    directory.mkdir()
    service = f'{{image: "{registry}/{tmp_path.name}:1", build: .}}'
    (directory / "compose.yaml").write_text(f"services:\n  web: {service}\n")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("ORCHESTRA_HOME", str(tmp_path / "home"))

    def run(*argv: str) -> tuple[int, str, str]:
        code = start(argv)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    with listening(engine, str(tmp_path / "engine.sock")) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        yield run


@pytest.fixture
def build(registry, tmp_path):
    """Makes the service's image of one file, without a builder."""

    def build(content: bytes) -> None:
        archive = tmp_path / "image.tar"
        with tarfile.open(archive, "w") as tar:
            member = tarfile.TarInfo("content")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        assert start(["image", "import", str(archive), f"{registry}/{tmp_path.name}:1"]) == 0

    return build


def image(engine):
    return engine.items["services"]["shop_web"]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]


def test_an_image_that_exists_here_only_is_refused_at_its_place(orchestra, build, engine):
    build(b"one")
    code, _out, err = orchestra("deploy", "--driver", "swarm")
    assert code == 15
    assert "compose.yaml:2:" in err
    assert "exists only on this machine" in err
    assert "add --push" in err
    assert engine.items["services"] == {}


def test_what_was_built_is_pushed_and_pinned(orchestra, build, engine, registry, tmp_path):
    build(b"one")
    code, out, err = orchestra("--dry-run", "deploy", "--driver", "swarm", "--push")
    assert code == 0
    assert "exists only on this machine" in orchestra("plan", "--driver", "swarm")[2]  # nothing was sent
    code, _out, err = orchestra("deploy", "--driver", "swarm", "--push")
    assert code == 0, err
    assert f"image/{registry}/{tmp_path.name}:1 pushed\n" in err
    first = image(engine)
    assert first.startswith(f"{registry}/{tmp_path.name}:1@sha256:")
    assert first in out
    assert "0 of 2 objects changed" in orchestra("deploy", "--driver", "swarm", "--push")[2]
    build(b"two")
    assert "1 of 2 objects changed" in orchestra("deploy", "--driver", "swarm", "--push")[2]
    assert image(engine) != first
    assert orchestra("rollback", "--driver", "swarm")[0] == 0
    assert image(engine) == first
    assert "1 of 2 objects changed" in orchestra("deploy", "--driver", "swarm")[2]  # the registry has it, by its tag


def test_an_image_that_is_not_built_cannot_be_pushed(orchestra, engine):
    code, _out, err = orchestra("deploy", "--driver", "swarm", "--push")
    assert code == 1
    assert "is not built" in err
    assert "run orchestra build" in err


def test_a_registry_that_does_not_answer_may_be_one_of_the_cluster(orchestra, build, engine, tmp_path):
    (tmp_path / "shop/compose.yaml").write_text('services:\n  web: {image: "localhost:1/web:1", build: .}\n')
    assert orchestra("deploy", "--driver", "swarm")[0] == 0
    assert image(engine) == "localhost:1/web:1"
