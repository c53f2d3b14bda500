"""Where the manager of a swarm is, as Docker's own client finds it."""

from __future__ import annotations

import hashlib
import json

import pytest

from orchestra.cluster.endpoint import DEFAULT, Endpoint, find_endpoint
from orchestra.errors import UserError


@pytest.fixture
def environment(tmp_path):
    """With contexts called ``far`` and ``locked``, which has certificates; ``far`` is the current one."""
    for name, said in {"far": {"Host": "ssh://me@far"}, "locked": {"Host": "tcp://l:1", "SkipTLSVerify": True}}.items():
        identity = hashlib.sha256(name.encode()).hexdigest()
        directory = tmp_path / "contexts/meta" / identity
        directory.mkdir(parents=True)
        (directory / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": said}}))
    (tmp_path / "contexts/tls" / identity / "docker").mkdir(parents=True)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "far"}))
    return {"DOCKER_CONFIG": str(tmp_path)}


def test_the_current_context_is_the_last_resort(environment):
    assert find_endpoint(environment).address == "ssh://me@far"
    assert find_endpoint(environment | {"DOCKER_CONTEXT": "locked"}).address == "tcp://l:1"
    assert find_endpoint(environment | {"DOCKER_CONTEXT": "locked", "DOCKER_HOST": "tcp://h:1"}).address == "tcp://h:1"
    assert find_endpoint(environment | {"DOCKER_HOST": "tcp://h:1"}, context="far").address == "ssh://me@far"
    assert find_endpoint(environment | {"DOCKER_HOST": "tcp://h:1"}, "tcp://m:1").address == "tcp://m:1"
    assert find_endpoint(environment | {"DOCKER_CONTEXT": "default"}) == Endpoint(DEFAULT)


def test_certificates_are_those_of_the_context_or_of_the_variables(environment, tmp_path):
    found = find_endpoint(environment, context="locked")
    assert found.certificates.startswith(f"{tmp_path}/contexts/tls/")
    assert not found.checked
    trusted = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    assert find_endpoint(environment | trusted, "tcp://m:1") == Endpoint("tcp://m:1", "/certs")
    assert find_endpoint(environment | trusted, context="far").certificates == ""


def test_a_machine_without_docker_has_the_default(tmp_path):
    assert find_endpoint({"HOME": str(tmp_path)}) == Endpoint(DEFAULT)


def test_a_context_that_does_not_exist_or_cannot_be_read(environment, tmp_path):
    with pytest.raises(UserError, match="no context 'other'"):
        find_endpoint(environment, context="other")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"cannot read .*config\.json"):
        find_endpoint(environment)
