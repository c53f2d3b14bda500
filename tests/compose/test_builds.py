"""``build`` of a service as a specification of a build."""

from __future__ import annotations

import pytest

from orchestra.compose.builds import builds
from orchestra.model.build import BuildSecret
from orchestra.model.codec import decode, encode
from orchestra.model.limits import Ulimit

FILE = """
name: shop
services:
  web:
    image: example.org/web:1
    platform: linux/amd64
    pull_policy: build
    build:
      context: ./src
      dockerfile: Other
      args: {A: "1", B: null, C: null}
      target: run
      additional_contexts: {base: "service:db", files: ./files}
      secrets:
        - token
        - {source: key, target: other}
      ssh: [default, deploy=/run/agent]
      labels: {colour: green}
      network: none
      shm_size: 1mb
      extra_hosts: ["db:10.0.0.1"]
      ulimits: {nofile: {soft: 1, hard: 2}, core: 3}
      platforms: [linux/amd64]
      pull: true
      no_cache: true
      no_cache_filter: [one]
      privileged: true
      entitlements: [network.host]
      tags: ["example.org/web:latest"]
  db:
    build: .
  plain: {image: x}
secrets:
  token: {environment: TOKEN}
  key: {file: ./key}
"""


@pytest.fixture
def specs(folder):
    loaded = folder.load(FILE, environment={"C": "from outside"})
    return {spec.service: spec for spec in builds(loaded)}


def test_all_that_a_build_may_say(specs, folder):
    web = specs["web"]
    assert (web.image, web.tags) == ("example.org/web:1", ("example.org/web:latest",))
    assert web.context == f"{folder.path}/src"
    assert (web.dockerfile, web.target, web.network, web.policy) == ("Other", "run", "none", "build")
    assert web.arguments == {"A": "1", "C": "from outside"}
    assert web.contexts == {"base": "service:db", "files": f"{folder.path}/files"}
    assert web.secrets == (
        BuildSecret("token", environment="TOKEN"),
        BuildSecret("other", file=f"{folder.path}/key"),
    )
    assert web.ssh == ("default", "deploy=/run/agent")
    assert web.labels == {
        "colour": "green",
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "web",
    }
    assert (web.shm_size, web.extra_hosts) == (1 << 20, (("db", "10.0.0.1"),))
    assert web.ulimits == (Ulimit("core", 3, 3), Ulimit("nofile", 1, 2))
    assert (web.platforms, web.platform) == (("linux/amd64",), "linux/amd64")
    assert web.pull
    assert web.no_cache
    assert web.privileged
    assert (web.no_cache_filter, web.entitlements) == (("one",), ("network.host",))


def test_the_usual_values_and_only_services_that_are_built(specs, folder):
    assert sorted(specs) == ["db", "web"]
    db = specs["db"]
    assert (db.image, db.context, db.dockerfile) == ("shop-db", str(folder.path), "Dockerfile")
    assert (db.secrets, db.arguments, db.platforms) == ((), {}, ())


def test_it_can_be_remembered(specs):
    for spec in specs.values():
        assert decode(type(spec), encode(spec)) == spec
