"""Through a proxy, and with certificates of one's own: registries whose names nobody but the proxy knows."""

from __future__ import annotations

import os

import pytest

from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.patience import Patience
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.desired import ImageSpec
from tests.debian import home_in
from tests.driver.local.image.making import Made, compressed, entry, layer, needs_root

from .faulty import Registry, serving
from .proxy import proxying
from .real import OPENSSL, REGISTRY, make_certificate, running

pytestmark = needs_root
needs_real = pytest.mark.skipif(not (REGISTRY and OPENSSL), reason="needs docker-registry and openssl")
NAME = layer(entry("etc/name", content=b"this one"))
QUICK = Patience(connect=2, silence=2, attempts=2, first=0.01, longest=0.1)


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "registries.conf").write_text('[[registry]]\nlocation = "plain.example:5000"\ninsecure = true\n')
    return {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "CONTAINERS_REGISTRIES_CONF": f"{tmp_path}/registries.conf",
    }


@pytest.fixture
def library(tmp_path, environment):
    return Library(home_in(tmp_path / "home"), Access(environment, QUICK))


def put_in(library, tmp_path, target):
    made = Made()
    reference = made.name(made.image([NAME], compress=compressed)).write(tmp_path / "made")
    image = library.store.pull(ImageSpec(reference))
    library.tag(reference, target)
    return image


def test_plain_http_goes_through_its_proxy_and_what_needs_none_does_not(library, environment):
    made = Made()
    with serving(Registry()) as registry, proxying(plain=registry.port) as proxy:
        local = registry.put(made, made.image([NAME], compress=compressed))
        environment["HTTP_PROXY"] = proxy.url
        environment["HTTPS_PROXY"] = proxy.url
        environment["NO_PROXY"] = "127.0.0.1"
        assert library.store.pull(ImageSpec("plain.example:5000/app:1")).digest == registry.tags["1"]
        assert ("GET", "plain.example:5000") in proxy.seen
        count = len(proxy.seen)
        library.store.pull(ImageSpec(local))
        assert len(proxy.seen) == count


def test_a_missing_or_refusing_proxy_is_reported(library, environment):
    with proxying() as proxy:
        environment["HTTPS_PROXY"] = proxy.url
        with pytest.raises(TemporaryError, match="cannot be reached") as caught:
            library.store.pull(ImageSpec("closed.example:5000/app:1"))
        assert "HTTPS_PROXY" in caught.value.hint
        assert ("CONNECT", "closed.example:5000") in proxy.seen
    with pytest.raises(TemporaryError, match="cannot be reached"):
        library.store.pull(ImageSpec("closed.example:5000/app:1"))


@needs_real
def test_a_private_authority_and_a_client_certificate_through_a_tunnel(library, tmp_path, environment):
    server, client = tmp_path / "server", tmp_path / "client"
    for path in (server, client):
        path.mkdir()
        make_certificate(path, "DNS:closed.example")
    settings = f"  tls: {{certificate: {server}/crt, key: {server}/key, clientcas: [{client}/crt]}}\n"
    with running(tmp_path / "registry", settings=settings) as host, proxying(closed=int(host.split(":")[1])) as proxy:
        environment["HTTPS_PROXY"] = proxy.url
        target = "closed.example:5000/app:1"
        image = put_in(library, tmp_path, target)
        with pytest.raises(FatalError, match="certificate is not trusted") as caught:
            library.push(target)
        assert "certs.d/closed.example:5000/ca.crt" in caught.value.hint
        own = tmp_path / ".config/containers/certs.d/closed.example:5000"
        own.mkdir(parents=True)
        (own / "any-name.crt").write_bytes((server / "crt").read_bytes())
        with pytest.raises(TemporaryError, match="cannot be reached"):  # the server wants to know who it is, too
            library.push(target)
        (own / "me.cert").write_bytes((client / "crt").read_bytes())
        with pytest.raises(FatalError, match=r"me\.cert or its key cannot be read"):
            library.push(target)
        (own / "me.key").write_bytes((client / "key").read_bytes())
        assert library.push(target).digest == image.digest
        library.remove(target, force=True)
        assert library.store.pull(ImageSpec(target)).digest == image.digest
        assert {way for way, _ in proxy.seen} == {"CONNECT"}


@needs_real
def test_the_systems_authorities_may_be_others(library, tmp_path, environment):
    make_certificate(tmp_path, "DNS:closed.example")
    settings = f"  tls: {{certificate: {tmp_path}/crt, key: {tmp_path}/key}}\n"
    with running(tmp_path / "registry", settings=settings) as host, proxying(closed=int(host.split(":")[1])) as proxy:
        environment["HTTPS_PROXY"] = proxy.url
        environment["SSL_CERT_FILE"] = f"{tmp_path}/crt"
        put_in(library, tmp_path, "closed.example:5000/app:1")
        assert library.push("closed.example:5000/app:1").sent == 2
