"""ADD of what is elsewhere: files from a server on this machine, and commits of a repository."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from orchestra.build.step import Copy, Download, GitTree, Scratch
from orchestra.driver.local.build import download
from orchestra.errors import OrchestraError
from tests.driver.local.build.making import build, graph
from tests.driver.local.image.making import needs_root

pytestmark = needs_root


class Server(http.server.ThreadingHTTPServer):
    """content: what it serves, or None. answers: the status of each answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: bytes | None = b"content"
        self.answers: list[int] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.content
        tag = hashlib.sha256(content or b"").hexdigest()[:8]
        status = 404 if content is None else 304 if self.headers.get("If-None-Match") == tag else 200
        self.server.answers.append(status)
        self.send_response(status)
        self.send_header("ETag", tag)
        self.send_header("Last-Modified", "Sat, 01 Jan 2022 00:00:00 GMT")
        self.end_headers()
        if status == 200:
            self.wfile.write(content or b"")

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def server():
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def wanted(server, checksum=""):
    url = f"http://127.0.0.1:{server.server_port}/dir/file.txt"
    return graph(Scratch(), Download(url, "file.txt", checksum), Copy(0, 1, ("file.txt",), "/to/"))


def test_a_file_is_fetched_again_only_when_it_has_changed(home, server):
    first = build(home, wanted(server))
    assert first.files() == {"to": "dir 755", "to/file.txt": "600 content"}
    assert build(home, wanted(server)).started == []
    assert server.answers == [200, 304]
    server.content = b"new"
    assert build(home, wanted(server)).files()["to/file.txt"] == "600 new"


@pytest.mark.parametrize("is_known", [True, False])
def test_a_damaged_file_is_fetched_again(home, server, is_known):
    build(home, wanted(server))
    [kept] = Path(home.builds).glob("downloads/*/*/file.txt")
    kept.write_bytes(b"damaged")
    if not is_known:
        [known] = Path(home.builds).glob("downloads/*/known.json")
        known.unlink()
    assert build(home, wanted(server)).started == []
    assert server.answers == [200, 200]
    assert kept.read_bytes() == b"content"


def test_checksums_and_refusals(home, server):
    digest = f"sha256:{hashlib.sha256(b'content').hexdigest()}"
    assert build(home, wanted(server, digest)).made == [2]
    with pytest.raises(OrchestraError, match="its digest is sha256:"):
        build(home, wanted(server, "sha256:" + "0" * 64))
    server.content = None
    with pytest.raises(OrchestraError, match="the server answers 404"):
        build(home, wanted(server))


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_the_files_of_a_commit(home, tmp_path, monkeypatch):
    repository = tmp_path / "repository"
    (repository / "sub").mkdir(parents=True)
    (repository / "sub/file").write_text("one")

    def git(*words):
        options = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-C", str(repository))
        return subprocess.run(["git", *options, *words], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "one")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    (repository / "sub/file").write_text("two")
    git("commit", "-qam", "two")
    # Tests have no server of repositories: this one is on the disk.
    real = subprocess.run

    def run(command, **options):
        with contextlib.suppress(KeyError):
            options["env"]["GIT_ALLOW_PROTOCOL"] = "file"
        return real(command, **options)

    monkeypatch.setattr(download.subprocess, "run", run)
    for reference, content in (("v1", "one"), ("main", "two"), ("", "two"), (commit, "one")):
        tree = GitTree(str(repository), reference, subdirectory="sub")
        files = build(home, graph(Scratch(), tree, Copy(0, 1, (".",), "/"))).files()
        assert {name: what[-3:] for name, what in files.items()} == {"file": content}
    kept = GitTree(str(repository), "v1", keep_git_directory=True, checksum=commit[:12])
    assert ".git/HEAD" in build(home, graph(Scratch(), kept, Copy(0, 1, (".",), "/"))).files()
    for tree, message in (
        (GitTree(str(repository), "missing"), "there is no branch"),
        (GitTree(str(repository), "v1", checksum="0000"), "the commit is"),
        (GitTree(str(repository), "v1", subdirectory="../.."), "there is no directory"),
    ):
        with pytest.raises(OrchestraError, match=message):
            build(home, graph(Scratch(), tree, Copy(0, 1, (".",), "/")))
