"""``pull`` and ``push``, of a stack's services and by name, with the registry that everybody runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest

from orchestra.driver.local.image.library import Library
from orchestra.home import Home
from tests.driver.local.image.making import directory, entry, layer, link, needs_root
from tests.driver.local.image.registry.real import REGISTRY, running

pytestmark = [*needs_root, pytest.mark.skipif(not REGISTRY, reason="needs docker-registry (Debian: docker-registry)")]

NAME = layer(entry("etc/name", content=b"this one"))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def put(orchestra, tmp_path):
    def put(name: str, *options: str, root: bytes = NAME) -> str:
        (tmp_path / "rootfs.tar").write_bytes(root)
        code, out, err = orchestra("image", "import", *options, f"{tmp_path}/rootfs.tar", name)
        assert code == 0, err
        return out.strip()

    return put


@pytest.fixture
def published(orchestra, put):
    """Import an image, push it, and forget it; its id."""

    def publish(name: str, *options: str, **more: bytes) -> str:
        image_id = put(name, *options, **more)
        code, _, err = orchestra("image", "push", "-q", name)
        assert code == 0, err
        orchestra("image", "rm", name)
        return image_id

    return publish


def write(tmp_path, text) -> str:
    (tmp_path / "compose.yaml").write_text(text)
    return f"{tmp_path}/compose.yaml"


def names(home) -> set[str]:
    return {item.entry.reference for item in Library(home).items()}


def test_an_image_goes_to_its_registry_and_comes_back(host, home, orchestra, put):
    name = f"{host}/team/app:1"
    image_id = put(name)
    digest = Library(home).find(name).entry.digest
    code, out, err = orchestra("image", "push", name)
    assert (code, err) == (0, "")
    assert out.startswith(f"The push refers to repository {host}/team/app\n")
    assert out.splitlines()[-1].startswith(f"1: digest: {digest} size: ")
    orchestra("image", "rm", name)
    code, out, err = orchestra("image", "pull", name)
    assert (code, err) == (0, "")
    assert out == (f"1: Pulling from team/app\nDigest: {digest}\nStatus: Downloaded newer image for {name}\n{name}\n")
    assert "Status: Image is up to date" in orchestra("image", "pull", name)[1]
    assert orchestra("image", "pull", "-q", name, f"{host}/team/app@{digest}")[1].splitlines() == [
        name,
        f"{host}/team/app@{digest}",
    ]
    assert Library(home).find(name).id == image_id
    details = json.loads(orchestra("image", "inspect", name)[1])[0]
    assert details["RepoDigests"] == [f"{host}/team/app@{digest}"]


def test_a_failure_does_not_prevent_the_next(host, home, orchestra, published):
    published(f"{host}/good:1")
    code, out, err = orchestra("image", "pull", "-q", f"{host}/nothing:1", f"{host}/good:1")
    assert (code, out) == (1, f"{host}/good:1\n")
    assert err.startswith(f"error: image {host}/nothing:1: registry {host} has no such image")
    code, out, err = orchestra("image", "push", "-q", f"{host}/nothing:1", f"{host}/good:1")
    assert (code, out) == (1, f"{host}/good:1\n")


def test_an_image_for_another_platform_comes_when_it_is_asked_for(host, home, orchestra, published):
    published(f"{host}/foreign:1", "--platform", "linux/s390x")
    code, _, err = orchestra("image", "pull", f"{host}/foreign:1")
    assert code == 1
    assert "linux/s390x" in err
    assert orchestra("image", "pull", "--platform", "linux/s390x", f"{host}/foreign:1")[0] == 0
    assert orchestra("image", "inspect", "-f", "{{.Architecture}}", f"{host}/foreign:1")[1] == "s390x\n"


STACK = """
name: s
services:
  web: {{image: "{host}/web:1", depends_on: [db]}}
  worker: {{image: "{host}/web:1"}}
  db: {{image: "{host}/db:1", pull_policy: missing}}
  own: {{build: .}}
  never: {{image: "{host}/never:1", pull_policy: never}}
  tree: {{image: "rootfs:/", command: [x]}}
  idle: {{image: "{host}/idle:1", scale: 0}}
  off: {{image: "{host}/off:1", profiles: [more]}}
"""


def test_the_images_of_a_stack_are_fetched_each_once(host, home, orchestra, published, tmp_path):
    for name in ("web", "db", "idle"):
        published(f"{host}/{name}:1")
    file = write(tmp_path, STACK.format(host=host))
    code, out, err = orchestra("-f", file, "pull")
    assert (code, out) == (0, "")
    lines = err.splitlines()
    assert lines.count(f" Image {host}/web:1 Pulling") == 1
    assert {line for line in lines if "Skipped" in line} == {
        " Service own Skipped - No image to be pulled",
        " Service never Skipped - pull_policy is never",
        " Service tree Skipped - A directory needs no pull",
        " Service worker Skipped - Image is already being pulled by web",
    }
    assert names(home) == {f"{host}/{name}:1" for name in ("web", "db", "idle")}
    again = orchestra("-f", file, "pull")[2]
    assert " Service db Skipped - Image is already present locally\n" in again
    assert f" Image {host}/web:1 Pulled\n" in again
    held = orchestra("-f", file, "pull", "--policy", "missing", "web", "db")[2]
    assert held.count("Skipped - Image is already present locally") == 2


def test_dependencies_are_fetched_on_demand(host, home, orchestra, published, tmp_path):
    for name in ("web", "db"):
        published(f"{host}/{name}:1")
    file = write(tmp_path, STACK.format(host=host))
    assert orchestra("-f", file, "pull", "-q", "web") == (0, "", "")
    assert names(home) == {f"{host}/web:1"}
    assert orchestra("-f", file, "pull", "-q", "--include-deps", "web") == (0, "", "")
    assert names(home) == {f"{host}/web:1", f"{host}/db:1"}


def test_a_tag_that_has_moved_is_followed(host, home, orchestra, published, put, tmp_path):
    published(f"{host}/moving:1")
    file = write(tmp_path, f'services: {{web: {{image: "{host}/moving:1"}}}}')
    orchestra("-f", file, "pull", "-q")
    old = Library(home).find(f"{host}/moving:1").id
    new = published(f"{host}/moving:1", "-c", "CMD new")
    orchestra("-f", file, "pull", "-q")
    assert Library(home).find(f"{host}/moving:1").id == new != old


def test_what_cannot_be_fetched_fails_the_command_or_not(host, home, orchestra, published, tmp_path):
    published(f"{host}/there:1")
    file = write(
        tmp_path,
        f'services: {{a: {{image: "{host}/missing:1"}}, b: {{image: "{host}/there:1"}}, '
        f'c: {{image: "{host}/built:1", build: .}}}}',
    )
    code, _, err = orchestra("-f", file, "pull")
    assert code == 1
    assert f"error: image {host}/missing:1: registry {host} has no such image" in err
    assert f"error: image {host}/built:1: registry {host} has no such image" in err
    assert "must be built from source by running:\n    orchestra build c\n" in err
    assert names(home) == {f"{host}/there:1"}
    assert orchestra("-f", file, "pull", "--ignore-pull-failures")[0] == 0
    code, _, err = orchestra("-f", file, "pull", "--ignore-buildable", "b", "c")
    assert code == 0
    assert " Service c Skipped - Image can be built\n" in err
    assert orchestra("-f", file, "pull", "nobody")[0] != 0


def test_what_the_file_builds_is_pushed_and_the_rest_when_it_is_named(host, home, orchestra, put, tmp_path):
    text = f"""
services:
  one: {{image: "{host}/pushed/one:1", build: {{context: ., tags: ["{host}/pushed/one:latest"]}}}}
  two: {{image: "{host}/pushed/two:1"}}
  own: {{build: .}}
  tree: {{image: "rootfs:/", command: [x]}}
"""
    file = write(tmp_path, text)
    put(f"{host}/pushed/one:1")
    put(f"{host}/pushed/two:1")
    orchestra("image", "tag", f"{host}/pushed/one:1", f"{host}/pushed/one:latest")
    code, _, err = orchestra("-f", file, "push")
    assert code == 0, err
    assert {line for line in err.splitlines() if "Skipped" in line} == {
        " Service own Skipped - No image to push",
        " Service two Skipped - The service has no build; name it on the command line to push its image",
        " Service tree Skipped - Image is not from a registry",
    }
    assert err.count(" Pushed\n") == 2
    assert orchestra("-f", file, "push", "-q", "two") == (0, "", "")
    orchestra("image", "prune", "-af")
    wanted = [f"{host}/pushed/{name}" for name in ("one:1", "one:latest", "two:1")]
    assert orchestra("image", "pull", "-q", *wanted)[1].splitlines() == wanted
    orchestra("image", "rm", f"{host}/pushed/one:1")
    code, _, err = orchestra("-f", file, "push")
    assert code == 1
    assert f"no such image: {host}/pushed/one:1" in err
    assert orchestra("-f", file, "push", "--ignore-push-failures")[0] == 0


def test_progress_as_json(host, home, orchestra, published, tmp_path):
    published(f"{host}/json:1")
    file = write(tmp_path, f'services: {{web: {{image: "{host}/json:1"}}, own: {{build: .}}}}')
    rows = [json.loads(line) for line in orchestra("-f", file, "--progress", "json", "pull")[2].splitlines()]
    told = [row for row in rows if "current" in row]  # of a pull that takes its time
    assert all(row["text"] == "Pulling" and 0 <= row["current"] <= row["total"] for row in told)
    assert [row for row in rows if row not in told] == [
        {"id": "Service own", "status": "done", "text": "Skipped - No image to be pulled"},
        {"id": f"Image {host}/json:1", "status": "working", "text": "Pulling"},
        {"id": f"Image {host}/json:1", "status": "done", "text": "Pulled"},
    ]


@pytest.mark.parametrize("words", [["pull"], ["image", "pull", "{host}/slow:1"]])
def test_ctrl_c_ends_a_pull_at_once(words, tmp_path):
    """A registry that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        asked = threading.Event()
        kept = []

        def accept():
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return
                asked.set()

        thread = threading.Thread(target=accept)
        thread.start()
        file = write(tmp_path, f'services: {{web: {{image: "{host}/slow:1"}}}}')
        command = [sys.executable, "-m", "orchestra", "-f", file, *(word.format(host=host) for word in words)]
        environment = os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/home"}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            assert asked.wait(30)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


@pytest.mark.timeout(120)
def test_the_images_of_containers_are_listed_also_when_their_name_has_moved(host, published, write_stack, tmp_path):
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox (Debian: busybox-static)")
    with open(busybox, "rb") as file:
        root = layer(directory("bin"), entry("bin/busybox", content=file.read(), mode=0o755), link("bin/sh", "busybox"))
    image_id = published(f"{host}/run:1", "-c", 'CMD ["busybox", "sleep", "1000"]', "-c", "STOPSIGNAL KILL", root=root)
    stack = write_stack(
        f'services: {{web: {{image: "{host}/run:1", scale: 2}}, tree: {{image: "rootfs:/", command: ["true"]}}}}'
    )
    stack.run("pull", "-q")
    stack.run("up", "-d")
    rows = {row["ContainerName"]: row for row in json.loads(stack.run("images", "--format", "json").stdout)}
    assert set(rows) == {"stack-web-1", "stack-web-2", "stack-tree-1"}
    web = rows["stack-web-1"]
    assert (web["ID"], web["Repository"], web["Tag"]) == (image_id, f"{host}/run", "1")
    assert rows["stack-tree-1"]["Repository"] == "rootfs:/"
    assert stack.run("images", "-q").stdout == f"{image_id[7:]}\n"
    table = stack.run("images", "web").stdout.splitlines()
    assert table[0].split() == ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE", "ID", "SIZE", "CREATED"]
    assert len(table) == 3
    assert stack.run("images", "nobody", code=1).stderr.startswith("error: no such service: nobody")
    assert stack.run("image", "rm", f"{host}/run:1", code=1).stderr.count("stack-web-") == 2
    assert stack.run("image", "prune", "-af").stdout == "Total reclaimed space: 0B\n"
    stack.run("image", "rm", "-f", f"{host}/run:1")
    assert json.loads(stack.run("images", "--format", "json", "web").stdout)[0]["Repository"] == "<none>"
    assert stack.run("exec", "-T", "web", "busybox", "echo", "well").stdout == "well\n"
    stack.run("down", "-t", "1")
    stack.run("image", "prune", "-f")
    assert Library(Home(f"{stack.home}/data", f"{stack.home}/run")).nameless() == []
