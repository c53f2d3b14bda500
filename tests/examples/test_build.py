"""``build``, ``up --build`` and ``image build``: real Dockerfiles over a busybox root, and real containers of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = needs_containers

STACK = """
services:
  web:
    build:
      context: .
      args: {GREETING: hello}
      labels: {colour: green}
      tags: [example.org/extra:1]
      secrets: [token]
    stop_signal: SIGKILL
  plain:
    build:
      dockerfile_inline: |
        FROM base
        CMD ["sleep", "600"]
      additional_contexts: {base: "service:web"}
    stop_signal: SIGKILL
secrets:
  token: {environment: TOKEN}
"""
DOCKERFILE = """\
FROM rootfs:BUSYBOX AS tools
RUN mkdir /out && echo tool > /out/tool

FROM rootfs:BUSYBOX
ARG GREETING
ENV NAME=value
WORKDIR /app
COPY --from=tools /out/ ./
COPY *.txt ./
RUN --mount=type=secret,id=token test -s /run/secrets/token && echo $GREETING > greeting
USER 5:6
CMD ["sleep", "600"]
"""


@pytest.fixture
def stack(write_stack, busybox_root):
    files = {"Dockerfile": DOCKERFILE.replace("BUSYBOX", str(busybox_root)), "a.txt": "first", ".dockerignore": "b.txt"}
    return write_stack(STACK, files={**files, "b.txt": "not wanted"}, TOKEN="the secret word")


def sh(stack, service, script):
    return stack.run("exec", "-T", service, "sh", "-c", script).stdout


def test_up_builds_what_is_missing_and_only_that(stack):
    first = stack.run("up", "-d")
    assert "COPY *.txt ./" in first.stderr
    assert sh(stack, "web", "cat tool a.txt greeting; ls; id -u; echo $NAME; pwd").split() == [
        *("tool", "firsthello", "a.txt", "greeting", "tool", "5", "value", "/app")
    ]
    second = stack.run("up", "-d")
    assert "COPY" not in second.stderr
    assert "Running" in second.stderr


def test_a_change_replaces_the_containers_with_build_only(stack):
    stack.run("up", "-d", "web")
    before = stack.containers()["web"]["ID"]
    (stack.folder / "a.txt").write_text("second")
    stack.run("up", "-d", "web")
    assert stack.containers()["web"]["ID"] == before
    built = stack.run("up", "-d", "--build", "web")
    assert "CACHED" in built.stderr
    assert stack.containers()["web"]["ID"] != before
    assert sh(stack, "web", "cat a.txt") == "second"
    again = stack.containers()["web"]["ID"]
    stack.run("up", "-d", "--build", "--quiet-build", "web")
    assert stack.containers()["web"]["ID"] == again


def test_build_names_and_labels_the_images_in_order(stack):
    done = stack.run("build", "-q")
    assert len(done.stdout.split()) == 2
    [image] = json.loads(stack.run("image", "inspect", "stack-web").stdout)
    assert image["Config"]["Labels"]["colour"] == "green"
    assert image["Config"]["Labels"]["com.docker.compose.service"] == "web"
    assert sorted(image["RepoTags"]) == ["docker.io/library/stack-web:latest", "example.org/extra:1"]
    [plain] = json.loads(stack.run("image", "inspect", "stack-plain").stdout)
    assert plain["RootFS"]["Layers"] == image["RootFS"]["Layers"]
    assert stack.run("build", "-q").stdout == done.stdout
    assert stack.run("image", "fsck").returncode == 0
    history = stack.run("image", "history", "stack-web", "--no-trunc").stdout
    assert "word" not in history


def test_a_failing_step_shows_its_last_lines_and_its_place(stack):
    text = (stack.folder / "Dockerfile").read_text()
    (stack.folder / "Dockerfile").write_text(text.replace("USER 5:6", "RUN echo why && exit 9"))
    done = stack.run("up", "-d", code=17)
    assert "Dockerfile:11:1: RUN echo why && exit 9: the command ended with exit code 9" in done.stderr
    assert " why\n------" in done.stderr
    assert " 11 | RUN echo why && exit 9" in done.stderr
    assert stack.containers() == {}


def test_an_image_that_is_not_there_may_be_a_mistyped_stage(stack):
    text = (stack.folder / "Dockerfile").read_text()
    (stack.folder / "Dockerfile").write_text(text.replace("--from=tools", "--from=oci:tools"))
    done = stack.run("build", "web", code=17)
    assert "oci:tools is no stage, and image oci:" in done.stderr
    assert "did you mean tools?" in done.stderr


def test_no_build_leaves_it_to_what_is_there(stack):
    done = stack.run("create", "--no-build", code=1)
    assert "has not been built" in done.stderr
    assert "cannot be combined" in stack.run("up", "-d", "--build", "--no-build", code=1).stderr


def test_run_builds_its_image(stack):
    assert stack.run("run", "--rm", "-T", "--quiet-build", "web", "cat", "greeting").stdout == "hello\n"
    (stack.folder / "a.txt").write_text("again")
    assert stack.run("run", "--rm", "-T", "--build", "web", "cat", "a.txt").stdout == "again"


def test_check_print_and_dry_run_build_nothing(stack):
    assert "no warnings found" in stack.run("build", "--check").stdout
    text = (stack.folder / "Dockerfile").read_text()
    (stack.folder / "Dockerfile").write_text(text.replace("AS tools", "as tools"))
    assert "FromAsCasing" in stack.run("build", "--check", "web", code=1).stderr
    bake = json.loads(stack.run("build", "--print", "plain").stdout)
    assert sorted(bake["target"]) == ["plain", "web"]
    assert bake["target"]["plain"]["contexts"] == {"base": "target:web"}
    assert stack.run("--dry-run", "build").stdout.split() == ["build", "image/stack-web", "build", "image/stack-plain"]
    assert stack.run("image", "ls", "-q").stdout == ""


def test_an_image_without_a_stack(stack, busybox_root, tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    (context / "file").write_text("x")
    dockerfile = f"FROM rootfs:{busybox_root}\nCOPY file /\nRUN --mount=type=secret,id=s,env=S test $S = v\n"
    (tmp_path / "Other").write_text(dockerfile)
    secret = tmp_path / "secret"
    secret.write_text("v")
    line = ("image", "build", "-q", "-t", "one:1", "-f", str(tmp_path / "Other"), "--secret", f"id=s,src={secret}")
    first = stack.run(*line, "--iidfile", str(tmp_path / "id"), str(context)).stdout
    assert first.strip() == (tmp_path / "id").read_text()
    packed = subprocess.run(["tar", "cz", "-C", context, "."], capture_output=True, check=True).stdout
    (tmp_path / "context.tgz").write_bytes(packed)
    assert stack.run(*line, str(tmp_path / "context.tgz")).stdout == first
    assert "cannot leave this machine" in stack.run("image", "save", "-o", str(tmp_path / "x"), "one:1", code=1).stderr
    foreign = ("--platform", "linux/amd64,linux/s390x", "--no-cache", str(context))
    assert "the command is for linux/s390x, and this machine is" in stack.run(*line, *foreign, code=17).stderr


def test_triggers_of_a_base_may_name_further_images(stack, busybox_root):
    texts = {
        "tools:1": f"FROM rootfs:{busybox_root}\nRUN echo made > /tool\n",
        "base:1": f"FROM rootfs:{busybox_root}\nONBUILD COPY --from=tools:1 /tool /copied\n",
        "app:1": "FROM base:1\nRUN grep made /copied\n",
    }
    for name, text in texts.items():
        (stack.folder / "Dockerfile").write_text(text)
        stack.run("image", "build", "-t", name, str(stack.folder))


def test_an_interrupt_ends_the_command_and_leaves_nothing(stack, busybox_root):
    (stack.folder / "Dockerfile").write_text(f"FROM rootfs:{busybox_root}\nRUN echo begun && sleep 600\n")
    with stack.start("image", "build", ".", stderr=subprocess.PIPE, cwd=stack.folder) as process:
        assert any(line.endswith(" begun\n") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode != 0
    assert eventually(lambda: "_builds" not in os.listdir(stack.home / "run/stacks"))


def disk(stack):
    rows = stack.run("system", "df", "--format", "json").stdout.splitlines()
    return {row["Type"]: row for row in map(json.loads, rows)}


def test_prune_keeps_what_builds_remember_until_it_is_told_otherwise(stack):
    stack.run("build", "web")
    stack.run("image", "prune", "-af")
    rows = {
        row["Type"]: row for row in map(json.loads, stack.run("system", "df", "--format", "json").stdout.splitlines())
    }
    assert int(rows["Build Cache"]["TotalCount"]) > 0
    assert "DONE" not in "".join(
        line for line in stack.run("build", "web").stderr.splitlines() if "RUN" in line or "COPY" in line
    )
    stack.run("image", "rm", "stack-web", "example.org/extra:1")
    stack.run("image", "prune", "-af", "--build-cache")
    rows = {
        row["Type"]: row for row in map(json.loads, stack.run("system", "df", "--format", "json").stdout.splitlines())
    }
    assert rows["Build Cache"]["TotalCount"] == "0"
    assert rows["Images"]["Size"] == "0B"
