"""What goes wrong between here and a registry: a clear error, or success all the same; never anything in between."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
import threading
import time

import pytest

from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.patience import Patience, retry_after
from orchestra.driver.local.image.store import ImageStore
from orchestra.errors import FatalError, TemporaryError
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
from tests.driver.local.image.making import (
    DOCKER,
    OCI,
    Made,
    compressed,
    digest,
    entry,
    in_mount_namespace,
    layer,
    needs_root,
)

from .faulty import Registry, serving

pytestmark = needs_root

NAME = layer(entry("etc/name", content=b"this one"))
BIG = layer(entry("big", content=random.Random(1).randbytes(300_000)))
QUICK = Patience(connect=2, silence=0.3, attempts=3, first=0.01, longest=0.5)


@pytest.fixture
def registry():
    with serving(Registry()) as registry:
        yield registry


@pytest.fixture
def home(tmp_path):
    return Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")


@pytest.fixture
def environment(tmp_path):
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}


@pytest.fixture
def store(home, environment):
    return ImageStore(home, Access(environment, QUICK))


@pytest.fixture
def reference(registry):
    made = Made()
    return registry.put(made, made.image([NAME, BIG], compress=compressed))


def check(store, home, reference):
    """It comes, it is what it should be, and the store is sound."""
    image = store.pull(ImageSpec(reference))
    assert read_file(store.resolve(image.digest).layers, "/etc/name") == b"this one"
    assert store.observe([ImageSpec(reference)]).keys() == {reference}
    assert not check_store(home).damaged
    assert not os.path.isdir(f"{home.content}/ingest") or os.listdir(f"{home.content}/ingest") == []
    return image


def is_big(handler):
    return handler.path.endswith(digest(compressed(BIG)))


@pytest.mark.parametrize("family", [OCI, DOCKER])
@pytest.mark.parametrize("compress", [None, compressed, "zstd"], ids=["plain", "gzip", "zstd"])
def test_every_kind_of_image_comes_and_is_asked_for_once(registry, store, home, family, compress):
    if compress == "zstd":
        compress = pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd").compress
    made = Made()
    reference = registry.put(made, made.index(made.image([NAME, BIG], family=family, compress=compress)))
    image = check(store, home, reference)
    count = len(registry.seen)
    assert store.pull(ImageSpec(reference)) == image
    assert len(registry.seen) == count
    again = store.pull(ImageSpec(reference, pull_policy="always"))
    assert again.pulled_at > image.pulled_at
    assert [seen.method for seen in registry.seen[count:] if "manifests" in seen.path] == ["HEAD"]
    assert not [seen for seen in registry.seen[count:] if "blobs" in seen.path]


def test_a_moved_tag_is_noticed_on_request(registry, store, reference):
    before = store.pull(ImageSpec(reference))
    made = Made()
    registry.put(made, made.image([NAME], compress=compressed))
    assert store.pull(ImageSpec(reference)) == before
    assert store.pull(ImageSpec(reference, pull_policy="daily")).digest != before.digest


def test_what_was_pulled_needs_no_network(registry, store, home, reference):
    image = store.pull(ImageSpec(reference))
    registry.fault = lambda handler: handler.reset() or True
    assert ImageStore(home).observe([ImageSpec(reference)])[reference].digest == image.digest
    assert store.pull(ImageSpec(reference, pull_policy="never")).digest == image.digest
    with pytest.raises(TemporaryError, match="cannot be reached"):
        store.pull(ImageSpec(reference, pull_policy="always"))
    assert ImageStore(home).observe([ImageSpec(reference)])[reference].digest == image.digest


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_line_that_breaks_is_taken_up_where_it_broke(registry, store, home, reference, ranges):
    registry.ranges = ranges
    breaks = iter([50_000, 1, 60_000, 100_000] if ranges else [50_000])

    def fault(handler):
        count = next(breaks, None) if is_big(handler) else None
        if count is not None:
            handler.send_some(count)
        return count is not None

    registry.fault = fault
    check(store, home, reference)
    ranges_asked = [seen.headers.get("range") for seen in registry.asked(digest(compressed(BIG)))]
    if ranges:
        assert ranges_asked == [None, "bytes=50000-", "bytes=50001-", "bytes=110001-", "bytes=210001-"]


def test_a_stalled_line_is_given_up_and_taken_up(registry, store, home, reference):
    release = threading.Event()
    given_up = []
    stalls = iter([True])

    def fault(handler):
        if not (is_big(handler) and next(stalls, False)):
            return False
        data, status, more = handler.part(registry.blobs[digest(compressed(BIG))])
        handler.answer(status, data[:1000], more, length=len(data))
        handler.wfile.flush()
        given_up.append(release.wait(30))
        handler.reset()
        return True

    registry.fault = fault
    check(store, home, reference)
    assert given_up == []  # the line stalls still
    release.set()


def test_a_slow_line_is_waited_for_as_long_as_something_comes(registry, store, home, reference):
    pace = threading.Event()

    def fault(handler):
        if not is_big(handler):
            return False
        data, status, more = handler.part(registry.blobs[digest(compressed(BIG))])
        handler.answer(status, b"", more, length=len(data))
        step = len(data) // 7 + 1
        for start in range(0, len(data), step):
            pace.wait(QUICK.silence / 3)
            handler.wfile.write(data[start : start + step])
        return True

    registry.fault = fault
    started = time.monotonic()
    check(store, home, reference)
    assert time.monotonic() - started > QUICK.silence
    assert len(registry.asked(digest(compressed(BIG)))) == 1


def test_wrong_bytes_are_refused_and_leave_nothing(registry, store, home, reference):
    right = registry.blobs[digest(compressed(BIG))]
    registry.blobs[digest(compressed(BIG))] = right[:-1] + b"?"
    with pytest.raises(FatalError, match="is damaged") as caught:
        store.pull(ImageSpec(reference))
    assert caught.value.hint
    assert store.observe([ImageSpec(reference)]) == {}
    assert os.listdir(f"{home.content}/ingest") == []
    registry.blobs[digest(compressed(BIG))] = right
    check(store, home, reference)


def test_wrong_bytes_before_a_break_cost_a_second_download_only(registry, store, home, reference):
    spoilt = iter([True])

    def fault(handler):
        if not (is_big(handler) and next(spoilt, False)):
            return False
        handler.answer(200, b"?" * 5000, length=len(registry.blobs[digest(compressed(BIG))]))
        handler.wfile.flush()
        handler.reset()
        return True

    registry.fault = fault
    check(store, home, reference)


@pytest.mark.parametrize("change", [b"x", b""], ids=["longer", "shorter"])
def test_a_body_of_another_size_is_refused(registry, store, reference, change):
    right = registry.blobs[digest(compressed(BIG))]
    registry.blobs[digest(compressed(BIG))] = right + change if change else right[:-1]
    with pytest.raises((FatalError, TemporaryError), match=r"longer than|bytes came|did not continue"):
        store.pull(ImageSpec(reference))
    assert store.observe([ImageSpec(reference)]) == {}


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(registry, store, reference):
    top = registry.tags["1"]
    kind, data = registry.manifests[top]
    registry.manifests[top] = (kind, data + b" ")
    for text in (reference, f"{reference}@{top}"):
        with pytest.raises(FatalError, match="is damaged"):
            store.pull(ImageSpec(text))


STATUSES = {
    401: (FatalError, "requires a login"),
    403: (FatalError, "denies access"),
    404: (FatalError, "has no such image"),
    429: (TemporaryError, "too many requests"),
    500: (TemporaryError, "status 500"),
    503: (TemporaryError, "status 503"),
    418: (FatalError, "answers 418"),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("part", ["manifests", "blobs"])
def test_every_refusal_is_reported_with_the_registrys_message(registry, store, reference, status, part):
    def fault(handler):
        if f"/{part}/" in handler.path:
            handler.refuse(status, "CODE", "its \x1b[31mown words")
            return True
        return False

    registry.fault = fault
    kind, words = STATUSES[status]
    with pytest.raises(kind, match=words) as caught:
        store.pull(ImageSpec(reference))
    assert "own words" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert caught.value.hint or status == 418
    assert store.observe([ImageSpec(reference)]) == {}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_is_waited_for(registry, store, home, reference, status):
    troubles = iter(range(2))

    def fault(handler):
        if is_big(handler) and next(troubles, None) is not None:
            handler.refuse(status, "CODE", "later", {"Retry-After": "0"})
            return True
        return False

    registry.fault = fault
    check(store, home, reference)


def test_a_wait_longer_than_our_patience_is_reported_at_once(registry, store, reference):
    def fault(handler):
        handler.refuse(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": "3600"})
        return True

    registry.fault = fault
    with pytest.raises(TemporaryError, match="wait 3600 seconds"):
        store.pull(ImageSpec(reference))
    assert len(registry.asked("/manifests/")) == 1


def test_retry_after_is_seconds_or_a_date():
    assert retry_after("7") == 7
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("Wed, 21 Oct 2065 07:28:00 GMT") > 1e9
    assert [retry_after(text) for text in ("", "soon", "-1", "²")] == [0, 0, 0, 0]


def log_in(environment, host, login="me:secret"):
    path = f"{environment['HOME']}/.docker"
    os.makedirs(path, exist_ok=True)
    with open(f"{path}/config.json", "w") as file:
        json.dump({"auths": {host: {"auth": base64.b64encode(login.encode()).decode()}}}, file)


@pytest.mark.parametrize("tokens", [None, set()], ids=["basic", "bearer"])
def test_credentials_open_what_is_closed(registry, store, home, reference, environment, tokens):
    registry.login, registry.tokens = "me:secret", tokens
    with pytest.raises(FatalError, match=r"requires a login|no token") as caught:
        store.pull(ImageSpec(reference))
    assert "login" in caught.value.hint
    log_in(environment, registry.host, "me:wrong")
    with pytest.raises(FatalError, match="credentials"):
        store.pull(ImageSpec(reference))
    log_in(environment, registry.host)
    check(store, home, reference)


def test_a_token_that_expires_is_replaced_and_otherwise_one_will_do(registry, store, home, reference):
    registry.tokens = set()
    expired = iter([True])

    def fault(handler):
        if is_big(handler) and next(expired, False):
            registry.tokens.clear()
        return False

    registry.fault = fault
    check(store, home, reference)
    assert len(registry.asked("/token")) == 2


def test_redirects_are_followed_without_secrets(registry, store, home, reference, environment):
    log_in(environment, registry.host)
    registry.login = "me:secret"
    with serving(Registry(blobs=registry.blobs), "127.0.0.2") as other:
        registry.redirect = f"http://127.0.0.2:{other.port}"
        breaks = iter([True])

        def fault(handler):
            if is_big(handler) and next(breaks, False):
                handler.send_some(10)
                return True
            return False

        other.fault = fault
        check(store, home, reference)
        assert other.seen
        assert all("authorization" not in seen.headers for seen in other.seen)
        assert "bytes=10-" in [seen.headers.get("range") for seen in other.seen]


def test_redirects_have_an_end(registry, store, reference):
    registry.redirect = f"http://{registry.host}/v2/app"
    with pytest.raises(FatalError, match="redirects more than"):
        store.pull(ImageSpec(reference))


def test_a_mirror_comes_first_and_may_fail(registry, store, home, reference, environment, tmp_path):
    with serving(Registry(blobs=registry.blobs, manifests=registry.manifests, tags=registry.tags)) as mirror:
        (tmp_path / "registries.conf").write_text(
            f'[[registry]]\nlocation = "{registry.host}"\n[[registry.mirror]]\nlocation = "{mirror.host}"\n'
        )
        environment["CONTAINERS_REGISTRIES_CONF"] = str(tmp_path / "registries.conf")
        check(store, home, reference)
        assert not registry.seen
        mirror.fault = lambda handler: handler.refuse(500, "X", "broken") or True
        store.pull(ImageSpec(f"{registry.host}/other/app:1"))
        assert registry.seen


def test_a_blocked_registry_is_not_asked(registry, store, reference, environment, tmp_path):
    (tmp_path / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry.host}"\nblocked = true\n')
    environment["CONTAINERS_REGISTRIES_CONF"] = str(tmp_path / "registries.conf")
    with pytest.raises(FatalError, match="blocked"):
        store.pull(ImageSpec(reference))
    assert not registry.seen


@pytest.mark.parametrize("made_of", ["foreign", "unknown layer", "no image", "schema 1", "other platform", "not JSON"])
def test_what_is_no_image_for_us_is_refused_with_a_reason(registry, store, made_of):
    made = Made()
    match made_of:
        case "foreign":
            item, words = (
                made.image([NAME], layer_type=f"{DOCKER}.image.rootfs.foreign.diff.tar.gzip"),
                "not stored in the registry",
            )
        case "unknown layer":
            item, words = made.image([NAME], layer_type="application/x-secret"), "not supported"
        case "no image":
            item, words = made.image([NAME], config_type="application/vnd.cncf.helm.config.v1+json"), "not a container"
        case "schema 1":
            document = json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()
            item, words = made.blob(document, f"{DOCKER}.distribution.manifest.v1+prettyjws"), "before 1.10"
        case "other platform":
            one = made.image([NAME], architecture="other")
            item, words = made.index({**one, "platform": {"os": "linux", "architecture": "other"}}), "is not for"
        case _:
            item, words = made.blob(b"<html>", f"{OCI}.manifest.v1+json"), "not JSON"
    reference = registry.put(made, item)
    with pytest.raises(FatalError, match=words):
        store.pull(ImageSpec(reference))
    assert not [seen for seen in registry.asked("/blobs/") if seen.path.endswith(digest(NAME))]


def test_a_full_disk_is_reported_and_not_made_worse(registry, environment, tmp_path):
    # By one layer: of another, which is interrupted for it, the part that has come may stay.
    made = Made()
    reference = registry.put(made, made.image([BIG], compress=compressed))
    (tmp_path / "small").mkdir()

    def work():
        from orchestra.linux.mounts import mount

        mount.mount("tmpfs", f"{tmp_path}/small", "tmpfs", data="size=200k")
        home = Home(f"{tmp_path}/small/data", f"{tmp_path}/small/run")
        try:
            ImageStore(home, Access(environment, QUICK)).pull(ImageSpec(reference))
        except FatalError as error:
            return [error.message, error.hint, os.listdir(f"{home.content}/ingest"), check_store(home).damaged]
        return None

    message, hint, left, damaged = in_mount_namespace(work)
    assert "No space left" in message
    assert "disk" in hint
    assert left == []
    assert not damaged


CHILD = """
import sys
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.patience import Patience
from orchestra.driver.local.image.store import ImageStore
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
data, run, reference = sys.argv[1:]
ImageStore(Home(data, run), Access({}, Patience())).pull(ImageSpec(reference))
"""


def test_two_processes_fetch_a_layer_once(registry, home, environment, reference):
    """One holds the layer half-way until the other has come to want it, too."""
    store = ImageStore(home, Access(environment, Patience()))
    second = threading.Event()

    def fault(handler):
        if handler.path.endswith("/manifests/1") and len(registry.asked("/manifests/1")) > 1:
            second.set()
        if is_big(handler):
            second.wait(30)
        return False

    registry.fault = fault
    with subprocess.Popen([sys.executable, "-c", CHILD, *home, reference]) as child:
        check(store, home, reference)
        assert child.wait(30) == 0
    assert len(registry.asked(digest(compressed(BIG)))) == 1
    assert len(registry.asked(digest(compressed(NAME)))) == 1
