"""``watch`` and ``up --watch`` on real containers: files arrive, and services restart or run commands."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = needs_containers

WEB = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "echo begun; exec sleep 1000"]
    stop_signal: SIGKILL
    scale: 2
    develop:
      watch:
        - {path: ./src, target: /srv/src, action: sync, initial_sync: true, ignore: [node_modules/, "*.log"]}
        - {path: ./app.conf, target: /outside/../../etc/app.conf, action: sync+restart}
        - path: ./tests
          target: /srv/tests
          action: sync+exec
          exec: {command: [sh, -c, "echo $$WHO tests $$(ls /srv/tests); exit 3"], environment: {WHO: user}}
        - {path: ./shared, target: /shared, action: sync}
    volumes: [./shared:/shared]
"""


class Watching:
    """A ``watch``, or an attached ``up``, in the background."""

    def __init__(self, stack, *arguments) -> None:
        self.stack = stack
        self.path = stack.folder / "said"
        self._file = self.path.open("w")
        streams = {"stdin": subprocess.DEVNULL, "stdout": self._file, "stderr": self._file}
        self.process = stack.start(*arguments, **streams)

    def said(self):
        return self.path.read_text()

    def until(self, text):
        def is_said():
            assert self.process.poll() is None or text in self.said(), self.said()
            return text in self.said()

        eventually(is_said)

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_exception) -> None:
        self.process.kill()
        self.process.wait()
        self._file.close()


def within(stack, index=1):
    """What the container has below /srv, by path."""
    script = "cd /srv && for f in $(find . -type f -o -type l); do echo $f $(cat $f); done"
    lines = stack.run("exec", "-T", "--index", str(index), "web", "sh", "-c", script).stdout.splitlines()
    return {line.partition(" ")[0].removeprefix("./"): line.partition(" ")[2] for line in lines}


@pytest.fixture
def web(write_stack):
    files = {"src/a": "a", "src/node_modules/big": "no", "app.conf": "one", "tests/first": "", "shared/x": "x"}
    return write_stack(WEB, files=files)


def test_files_arrive_in_every_container_and_leave_it(web):
    source = web.folder / "src"
    with Watching(web, "watch") as watch:
        watch.until("Watch enabled")
        assert "also declared by a bind mount volume, this path won't be monitored!" in watch.said()
        assert within(web) == within(web, 2) == {"src/a": "a"}
        (source / "x.log").write_text("no")
        (source / "deep/deeper").mkdir(parents=True)
        (source / "deep/deeper/b").write_text("b")
        (source / ".saved").write_text("saved")
        os.rename(source / ".saved", source / "a")
        eventually(lambda: within(web) == within(web, 2) == {"src/a": "saved", "src/deep/deeper/b": "b"})
        shutil.rmtree(source / "deep")
        os.unlink(source / "a")
        os.symlink("/etc/passwd", source / "a")
        eventually(lambda: list(within(web, 2)) == ["src/a"])
        assert web.run("exec", "-T", "web", "readlink", "/srv/src/a").stdout == "/etc/passwd\n"
        watch.process.send_signal(signal.SIGINT)
        assert watch.process.wait(30) == 130
    assert web.states()["web"] == "running"


def test_a_service_restarts_once_its_file_has_arrived(web):
    with Watching(web, "watch", "web") as watch:
        watch.until("Watch enabled")
        (web.folder / "app.conf").write_text("two")
        watch.until('service "web" restarted')
    assert web.run("exec", "-T", "web", "cat", "/etc/app.conf").stdout == "two"
    assert web.run("logs", "web").stdout.count("begun") == 4


def test_a_command_runs_in_every_container_after_the_sync(web):
    with Watching(web, "watch") as watch:
        watch.until("Watch enabled")
        (web.folder / "tests/second").write_text("")
        watch.until("stack-web-2: sh exited with code 3")
    assert "stack-web-1  | user tests second\n" in watch.said()
    assert "stack-web-2  | user tests second\n" in watch.said()


def test_a_container_that_is_made_anew_gets_what_has_changed(web):
    web.run("up", "-d")
    with Watching(web, "watch", "--no-up") as watch:
        watch.until("Watch enabled")
        (web.folder / "src/b").write_text("b")
        eventually(lambda: "src/b" in within(web, 2))
        web.run("up", "-d", "--force-recreate")
        eventually(lambda: within(web) == within(web, 2) == {"src/a": "a", "src/b": "b"})
        web.run("stop")
        (web.folder / "app.conf").write_text("two")
        watch.until("it is not running, so it is not restarted")
        web.run("start")
        assert web.run("exec", "-T", "web", "cat", "/etc/app.conf").stdout == "two"


def test_up_watches_beside_the_logs(web):
    with Watching(web, "up", "--watch") as up:
        up.until("Watch enabled")
        (web.folder / "src/b").write_text("b")
        eventually(lambda: "src/b" in within(web))
        assert 'Syncing service "web" after 1 changes were detected' in up.said()
        (web.folder / "app.conf").write_text("two")  # all containers end for a moment, and the command goes on
        up.until('service "web" restarted')
        eventually(lambda: up.said().count("  | begun") == 4)
        assert "web-1  | begun" in up.said()
        assert "Detach" not in up.said()
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(30) == 130
    assert web.states()["web"] == "exited"


BUILT = """
services:
  web:
    build: .
    command: [sh, -c, "cat /index; exec sleep 1000"]
    stop_signal: SIGKILL
    develop: {watch: [{path: ./index, action: rebuild}]}
"""


def test_an_image_is_built_anew_and_its_container_replaced(write_stack):
    files = {"index": "one", "Dockerfile": "FROM scratch\nCOPY busybox/ /\nCOPY index /index\n"}
    stack = write_stack(BUILT, files=files)
    shutil.copytree(stack.busybox_root, stack.folder / "busybox", symlinks=True)
    with Watching(stack, "watch") as watch:
        watch.until("Watch enabled")
        (stack.folder / "index").write_text("two")
        watch.until('service "web" successfully built')
        assert 'Rebuilding service "web" after changes were detected...' in watch.said()
        assert stack.run("exec", "-T", "web", "cat", "/index").stdout == "two"
        assert "<none>" not in stack.run("image", "ls").stdout
        (stack.folder / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
        (stack.folder / "index").write_text("three")
        watch.until("warning: service web: ")
        assert stack.run("exec", "-T", "web", "cat", "/index").stdout == "two"


def test_what_cannot_be_watched_is_refused_before_anything_starts(write_stack):
    stack = write_stack("""
services:
  web:
    image: "rootfs:BUSYBOX"
    develop:
      watch:
        - {path: ., action: rebuild}
  plain: {image: "rootfs:BUSYBOX"}
""")
    refused = stack.run("watch", code=15)
    assert 'can\'t watch service "web" with action rebuild without a build context' in refused.stderr
    assert "compose.yaml:7:29" in refused.stderr
    assert "^" in refused.stderr
    message = "none of the selected services is configured for watch, consider setting a 'develop' section"
    assert message in stack.run("watch", "plain", code=1).stderr
    assert message in stack.run("up", "--watch", "plain", code=1).stderr
    assert "no such service" in stack.run("watch", "nobody", code=1).stderr
    assert "--watch cannot be used with -d" in stack.run("up", "-d", "--watch", code=1).stderr
    assert stack.states() == {}
