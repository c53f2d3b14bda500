"""Compose files out of Git repositories, with real ones behind git's own server."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from orchestra.errors import EnvironmentLack, UserError
from orchestra.home import find_home
from orchestra.model.project import Chosen, Project
from orchestra.record import replace
from orchestra.stacks.context import Context
from orchestra.stacks.sources.copies import Copies
from orchestra.stacks.sources.fetch import fetch_file
from orchestra.stacks.sources.git import Patience, fetch_commit
from orchestra.stacks.sources.reference import parse_source
from orchestra.stacks.stack_file import StackFile

from .serving import Repository, serving, serving_git

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")

ONE = "services: {web: {image: 'x:1'}}\n"
TWO = "services: {web: {image: 'x:2'}}\n"


@pytest.fixture
def shop(tmp_path):
    return Repository(tmp_path / "served/shop")


@pytest.fixture
def server(tmp_path):
    with serving_git(tmp_path / "served") as address:
        yield address


@pytest.fixture
def fetch(tmp_path):
    def fetch(reference, **environment):
        known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment}
        return fetch_file(reference, f"{tmp_path}/copies", known)

    return fetch


def read(path):
    with open(path) as file:
        return file.read()


def test_a_ref_is_a_branch_a_tag_or_a_commit(shop, server, fetch):
    first = shop.commit({"compose.yaml": ONE})
    shop.git("tag", "--annotate", "--message=v1", "v1")
    shop.commit({"compose.yaml": TWO})
    assert read(fetch(f"{server}/shop.git")) == TWO
    assert read(fetch(f"{server}/shop.git#main")) == TWO
    assert read(fetch(f"{server}/shop.git#v1")) == ONE
    assert read(fetch(f"{server}/shop.git#refs/tags/v1")) == ONE
    assert read(fetch(f"{server}/shop.git#{first}")) == ONE


def test_a_branch_that_moves_is_followed(shop, server, fetch):
    shop.commit({"compose.yaml": ONE})
    old = fetch(f"{server}/shop.git#main")
    shop.commit({"compose.yaml": TWO})
    assert read(fetch(f"{server}/shop.git#main")) == TWO
    assert read(old) == ONE


def test_a_branch_is_no_part_of_another_ones_name(shop, server, fetch):
    shop.commit({"compose.yaml": ONE})
    shop.git("branch", "feature/old")
    with pytest.raises(UserError, match="has no branch or tag old"):
        fetch(f"{server}/shop.git#old")


def test_the_path_is_a_file_or_a_folder_with_one(shop, server, fetch):
    shop.commit({"apps/shop/compose.yml": ONE, "prod.yaml": TWO, "apps/shop/web.env": "A=1\n"})
    found = fetch(f"{server}/shop.git#main:apps/shop")
    assert read(found) == ONE
    assert os.path.basename(os.path.dirname(found)) == "shop"
    assert read(f"{os.path.dirname(found)}/web.env") == "A=1\n"
    assert read(fetch(f"{server}/shop.git#main:prod.yaml")) == TWO
    with pytest.raises(UserError, match="has no Compose file at apps"):
        fetch(f"{server}/shop.git#main:apps")


def test_links_out_of_the_repository_are_no_files_of_it(shop, server, fetch):
    (shop.folder / "secret.yaml").symlink_to("/etc/passwd")
    (shop.folder / "up").symlink_to("../..")
    (shop.folder / "compose.yaml").symlink_to("real.yaml")
    shop.commit({"real.yaml": ONE})
    found = fetch(f"{server}/shop.git")
    assert read(found) == ONE
    assert sorted(os.listdir(os.path.dirname(found))) == ["compose.yaml", "real.yaml"]
    with pytest.raises(UserError, match=r"no Compose file at secret\.yaml"):
        fetch(f"{server}/shop.git#main:secret.yaml")


def test_a_commit_that_is_here_needs_no_server(shop, tmp_path, fetch):
    commit = shop.commit({"compose.yaml": ONE})
    with serving_git(tmp_path / "served") as server:
        fetch(f"{server}/shop.git#main")
    assert read(fetch(f"{server}/shop.git#{commit}")) == ONE
    with pytest.raises(UserError, match="cannot be fetched") as lost:
        fetch(f"{server}/shop.git#main")
    assert f"the copy fetched before can be used without a network: {server}/shop.git#{commit}" in lost.value.hint


def test_hooks_and_settings_of_others_are_not_run(shop, server, fetch, tmp_path):
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "hooks/post-checkout").chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\n\thooksPath = {tmp_path}/hooks\n")
    shop.commit({"compose.yaml": ONE})
    fetch(f"{server}/shop.git", GIT_DIR=f"{tmp_path}/nowhere", GIT_WORK_TREE="/")
    assert not (tmp_path / "ran").exists()


def test_no_redirect_leads_to_another_protocol(fetch, shop):
    shop.commit({"compose.yaml": ONE})

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", f"file://{shop.folder}/.git/info/refs?service=git-upload-pack")
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    with serving(Elsewhere) as address, pytest.raises(UserError, match="cannot be fetched"):
        fetch(f"{address}/shop.git")


def test_a_password_is_not_asked_for(fetch):
    class Closed(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    with serving(Closed) as address, pytest.raises(UserError, match="cannot be fetched") as refused:
        fetch(f"{address}/shop.git", GIT_ASKPASS="/bin/echo", SSH_ASKPASS="/bin/echo")
    assert "git asks nothing here" in refused.value.hint


@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_does_not_go_on_is_given_up(tmp_path, drips):
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.1):
                    if drips:
                        connection.sendall(b"X-Drip: 1\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        source = parse_source(f"http://127.0.0.1:{server.getsockname()[1]}/shop.git")
        try:
            with pytest.raises(UserError, match="is too slow: git did not end within 1 s"):
                fetch_commit(source, Copies(f"{tmp_path}/copies"), {"PATH": os.environ["PATH"]}, Patience(question=1))
        finally:
            ended.set()
            thread.join()


def test_a_fetch_that_fails_leaves_nothing_behind(shop, server, fetch, tmp_path):
    shop.commit({"compose.yaml": ONE})
    missing = "1" * 40
    with pytest.raises(UserError):
        fetch(f"{server}/shop.git#{missing}")
    assert [name for _, _, files in os.walk(tmp_path / "copies") for name in files] == []
    assert not [name for name in os.listdir(tmp_path / "copies") if name.startswith(".growing")]


def test_git_may_be_missing_or_switched_off(shop, server, fetch, tmp_path):
    with pytest.raises(UserError, match="switched off by COMPOSE_EXPERIMENTAL_GIT_REMOTE"):
        fetch(f"{server}/shop.git", COMPOSE_EXPERIMENTAL_GIT_REMOTE="false")
    with pytest.raises(UserError, match="must be true or false"):
        fetch(f"{server}/shop.git", COMPOSE_EXPERIMENTAL_GIT_REMOTE="maybe")


def test_a_machine_without_git_is_told_so(fetch, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentLack, match="git is not installed"):
        fetch("http://127.0.0.1:1/shop.git")


def test_what_must_not_take_long_fetches_nothing(shop, server, tmp_path):
    shop.commit({"compose.yaml": ONE})
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    home = find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0)
    context = Context(home, "fake", Project(files=(f"{server}/shop.git",)), environment, str(tmp_path))
    hurried = replace(context, may_fetch=False)
    with pytest.raises(UserError, match="is not fetched now"):
        StackFile(hurried).identify()
    assert StackFile(context).identify() == ("shop", ("web",))
    assert StackFile(hurried).identify() == ("shop", ("web",))


def test_only_what_a_stack_is_called_is_remembered_of_it(shop, server, tmp_path):
    shop.commit({"compose.yaml": ONE})
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    home = find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0)
    file = StackFile(Context(home, "fake", Project(files=(f"{server}/shop.git",)), environment, str(tmp_path)))
    assert b"x:1" in file.prepare(Chosen()).desired
    shop.commit({"compose.yaml": TWO})
    assert file.recall_identity() == ("shop", ("web",))
    prepared = file.prepare(Chosen())
    assert b"x:2" in prepared.desired
    assert prepared.reach is not None
    assert list(prepared.reach.files) == [f"{server}/shop.git"]
