"""Real servers from a registry: nginx, PostgreSQL and Redis with a program of Python in between."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.debian import SERVERS, needs_debian
from tests.driver.local.image.registry.real import fill, running
from tests.examples.conftest import free_port, http

pytestmark = [pytest.mark.scenario, *needs_debian]
TEAPOT = {"name": "teapot", "price": 12}


@pytest.fixture
def images(debian_images, tmp_path):
    """Where a registry has them, each by its tag."""
    fill(tmp_path / "registry", {f"webshop:{name}": f"oci:{debian_images}:{name}" for name in SERVERS})
    with running(tmp_path / "registry") as host:
        yield f"{host}/webshop"


def source(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/goods", timeout=5) as reply:
        return reply.headers["X-Source"], json.load(reply)


def test_the_webshop_keeps_its_goods_when_every_container_is_made_anew(stack, images):
    port = free_port()
    webshop = stack("webshop", WEBSHOP_IMAGES=images, WEBSHOP_PORT=str(port))
    webshop.run("up", "-d", "--wait")
    before = webshop.containers()
    assert {row["Health"] for row in before.values()} == {"healthy"}
    assert http(port, "POST", "/goods", TEAPOT) == TEAPOT
    assert [source(port), source(port)] == [("database", [TEAPOT]), ("cache", [TEAPOT])]
    webshop.run("up", "-d", "--wait", "--force-recreate")
    after = webshop.containers()
    assert before.keys() == after.keys() == {"web", "shop", "db", "cache"}
    assert not {row["ID"] for row in before.values()} & {row["ID"] for row in after.values()}
    # Redis has forgotten, PostgreSQL has not.
    assert source(port) == ("database", [TEAPOT])
    webshop.run("down")
    webshop.run("up", "-d", "--wait")
    assert source(port) == ("database", [TEAPOT])
