"""Images are built there, from directories that are here."""

from __future__ import annotations

import subprocess

from tests.ssh.conftest import needs_ssh

pytestmark = needs_ssh

BUILT = """
services:
  app:
    build: {context: ./app, dockerfile: ../recipes/Dockerfile, secrets: [token], args: [COLOUR]}
    command: [sh, -c, "cat /files/* /token; sleep infinity"]
    init: true
    stop_grace_period: 0s
secrets:
  token: {file: ./token}
"""
RECIPE = """FROM scratch
COPY --from=root / /
COPY . /files/
ARG COLOUR
RUN --mount=type=secret,id=token cat /run/secrets/token > /token && echo $COLOUR >> /token
"""
FILES = {
    "app/kept": "kept\n",
    "app/dropped": "dropped\n",
    "app/.dockerignore": "dropped\n",
    "recipes/Dockerfile": RECIPE,
    "token": "s3cret\n",
}


def _with_root(text: str, busybox_root) -> str:
    return text.replace("args:", f"additional_contexts: {{root: {busybox_root}}}, args:")


def test_a_context_with_its_dockerfile_and_secrets_is_sent(write_remote_stack, busybox_root):
    text = _with_root(BUILT, busybox_root).replace("dockerfile: ../recipes/Dockerfile, ", "")
    files = {**FILES, "app/Dockerfile": RECIPE}
    stack = write_remote_stack(text, files=files, COLOUR="blue")
    stack.run("up", "-d")
    printed = stack.run("exec", "-T", "app", "sh", "-c", "ls -A /files; cat /token").stdout
    assert printed.split() == [".dockerignore", "Dockerfile", "kept", "s3cret", "blue"]


def test_a_dockerfile_may_be_beside_its_context(write_remote_stack, busybox_root):
    stack = write_remote_stack(_with_root(BUILT, busybox_root), files=FILES, COLOUR="blue")
    stack.run("build", "app")
    stack.run("up", "-d")
    assert "kept" in stack.run("exec", "-T", "app", "ls", "/files").stdout


def test_a_mistake_in_a_dockerfile_is_shown_at_its_place_here(write_remote_stack, busybox_root):
    files = {**FILES, "recipes/Dockerfile": "FROM scratch\nCOPPY a b\n"}
    stack = write_remote_stack(_with_root(BUILT, busybox_root), files=files)
    error = stack.run("build", code=17).stderr
    assert f"{stack.folder}/recipes/Dockerfile:2:1: unknown instruction: COPPY" in error


def test_a_file_on_standard_input_is_built(write_remote_stack, busybox_root):
    stack = write_remote_stack(_with_root(BUILT, busybox_root), files=FILES, COLOUR="blue")
    piped = stack.folder / "piped.yaml"
    piped.write_text(stack.file.read_text())
    stack.file = "-"
    with piped.open() as file, stack.start("build", "-q", stdin=file, cwd=piped.parent) as process:
        assert process.wait(60) == 0
    stack.file = piped


def test_a_directory_is_built_without_a_compose_file(write_remote_stack, busybox_root):
    files = {"app/file": "content\n", "other": "FROM scratch\nCOPY file /\n"}
    stack = write_remote_stack("services: {}", files=files)
    built = stack.run("image", "build", "-q", "-f", f"{stack.folder}/other", "-t", "made", f"{stack.folder}/app")
    assert built.stdout.startswith("sha256:")
    saved = stack.folder / "made.tar"
    stack.run("image", "save", "-o", str(saved), "made")
    assert "manifest.json" in subprocess.check_output(["tar", "tf", saved], text=True)
    stack.run("image", "rm", "made")
    assert "made" in stack.run("image", "load", "-i", str(saved)).stdout
    stack.run("image", "save", "-o", str(stack.folder / "none.tar"), "missing", code=1)
    assert not (stack.folder / "none.tar").exists()
