"""What each command imports is its start-up time: no more than it must, on the way where nothing has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.driver.local.image.making import Made, entry, layer
from tests.driver.local.image.registry.faulty import Registry, serving

STACK = """
services:
  web: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL}
"""
HEAVY = frozenset(
    {"pydantic", "networkx", "ruamel", "typer", "click", "rich", "anyio", "asyncio", "trio", "dns", "httpx2", "httpx"}
)
# A command's modules of ours that no other command has any use for: a sign that tables have stayed tables.
OF_BOTH = frozenset(
    {
        *("up", "down", "ps", "logs", "exec", "config", "plan", "events", "ls", "doctor", "disk"),
        *("cp", "graph", "inspect", "port", "volumes", "top", "stats", "rm", "publish", "run", "attach"),
        *("build", "watch"),
    }
)
COMMANDS = OF_BOTH | {
    "system",
    *("help", "completion", "examples", "complete.answer", "complete.words", "create", "scale"),
    *("pull", "push", "images", "accept"),
    *(f"volume.{name}" for name in ("ls", "inspect", "create", "rm", "prune")),
    *(f"network.{name}" for name in ("ls", "inspect", "rm", "prune")),
    *(
        f"image.{name}"
        for name in ("ls", "inspect", "history", "pull", "push", "rm", "prune", "save", "load", "fsck", "build")
    ),
}
USE_CASES = OF_BOTH | {
    "attached",
    "prune",
    "export",
    "commit",
    "build_check",
    "build_inputs",
    "built",
    "sources.fetch",
    "sources.reach",
}

PROBE = """
import json, sys
sys.argv[1:] = json.loads(sys.argv[1])
from orchestra.__main__ import main
try:
    main()
finally:
    sys.stdout.flush()
    print(json.dumps(sorted(sys.modules)), file=open({report!r}, "w"))
"""


def modules(arguments, tmp_path, environment=None, code=0):
    """The modules that were loaded when the command was done."""
    report = f"{tmp_path}/modules.json"
    command = [sys.executable, "-c", PROBE.replace("{report!r}", repr(report)), json.dumps(arguments)]
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False}
    done = subprocess.run(command, env=environment or os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/home"}, **options)
    assert done.returncode == code, done.stderr
    with open(report) as file:
        return set(json.load(file))


def heavy(loaded):
    return {name.partition(".")[0] for name in loaded} & HEAVY


def others(loaded, *own):
    """Modules of commands that are not this one's."""
    commands = {f"orchestra.cli.{name}" for name in COMMANDS - set(own)}
    return (commands | {f"orchestra.stacks.{name}" for name in USE_CASES - set(own)}) & loaded


def test_the_version_is_told_by_next_to_nothing(tmp_path):
    loaded = modules(["--version"], tmp_path)
    assert {name for name in loaded if name.startswith("orchestra")} == {"orchestra", "orchestra.__main__"}
    assert heavy(loaded) == set()


@pytest.mark.parametrize("arguments", [["version", "--short"], ["ls"], ["ls", "-aq"], ["doctor"], ["-p", "s", "logs"]])
def test_what_needs_no_stack_needs_no_library(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "orchestra", *arguments],
        env=os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/home"},
        capture_output=True,
        check=False,
    )
    loaded = modules(arguments, tmp_path, code=done.returncode)
    # Where no file is to be found, the loader has to be asked to know that.
    assert heavy(loaded) <= ({"pydantic", "ruamel", "networkx"} if "logs" in arguments else set())


def test_a_file_seen_for_the_first_time_needs_no_pydantic_unless_it_has_mistakes(tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text(STACK)
    loaded = modules(["-f", str(file), "config"], tmp_path)
    assert heavy(loaded) == {"ruamel"}
    assert {"dataclasses", "inspect"} & loaded == set()
    assert len(loaded) <= 262  # a tenth more than when this was written
    file.write_text("services: {web: {imag: a}}")
    assert heavy(modules(["-f", str(file), "config"], tmp_path, code=15)) == {"ruamel", "pydantic"}


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("image ls", "image.ls"),
        ("image inspect", "image.inspect"),
        ("image prune -f", "image.prune"),
        ("image fsck", "image.fsck"),
        ("image rm nothing", "image.rm"),
        ("image history nothing", "image.history"),
        ("image save nothing", "image.save"),
        ("volume ls", "volume.ls"),
        ("volume create data", "volume.create"),
        ("volume rm -f data", "volume.rm"),
        ("volume prune -f", "volume.prune"),
        ("network ls", "network.ls"),
        ("network rm -f front", "network.rm"),
        ("network prune -f", "network.prune"),
        ("system df", "disk"),
        ("system df -v", "disk"),
    ],
)
def test_looking_after_images_needs_no_library(line, own, tmp_path):
    arguments = line.split() + ([] if own != "image.inspect" else ["nothing"])
    code = 1 if "nothing" in arguments else 0
    loaded = modules(arguments, tmp_path, code=code)
    assert heavy(loaded) == set()
    assert others(loaded, own) == set()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_commands_on_an_unchanged_stack_load_no_library(write_stack, tmp_path):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    stack.run("pull")
    stack.run("graph")
    stack.run("run", "--rm", "--no-deps", "web", "true")
    file = ["-f", str(stack.file)]
    lines = {
        "ps": ["ps", "-a"],
        "up": ["up", "-d"],
        "logs": ["logs", "-n", "5"],
        "exec": ["exec", "-T", "web", "true"],
        "run": ["run", "--rm", "-T", "--no-deps", "web", "true"],
        "cp": ["cp", "web:/etc/hostname", str(tmp_path / "hostname")],
        "ls": ["ls"],
        "images": ["images"],
        "volumes": ["volumes"],
        "life_cycle": ["restart", "-t", "0"],
        "rm": ["rm", "-f"],
        "top": ["top"],
        "inspect": ["inspect", "web"],
        "graph": ["graph"],
        "stats": ["stats", "--no-stream"],
        "pull": ["pull"],
        "push": ["push"],
        "down": ["down", "-t", "1"],
    }
    for name, line in lines.items():
        loaded = modules([*file, *line], tmp_path, stack.environment)
        assert heavy(loaded) == set(), name
        assert others(loaded, name) == set(), name
        assert "orchestra.compose.loading" not in loaded, name


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_the_foreground_loads_no_library_either(write_stack, tmp_path):
    stack = write_stack('services: {job: {image: "rootfs:/", command: [echo, done]}}')
    stack.run("up")
    assert heavy(modules(["-f", str(stack.file), "up"], tmp_path, stack.environment)) == set()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="images need root")
def test_asking_whether_a_tag_has_moved_loads_what_that_takes(tmp_path):
    with serving(Registry()) as registry:
        made = Made()
        reference = registry.put(made, made.image([layer(entry("x"))]))
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "ORCHESTRA_HOME": f"{tmp_path}/home"}
        environment["CONTAINERS_REGISTRIES_CONF"] = f"{tmp_path}/none"
        line = ["image", "pull", "-q", reference]
        modules(line, tmp_path, environment)
        loaded = modules(line, tmp_path, environment)
    assert heavy(loaded) == {"httpx2"}
    unneeded = {"concurrent.futures", "subprocess", "tomllib", "tarfile", "orchestra.cli.image.parallel"}
    assert loaded & unneeded == set()
    assert others(loaded, "image.pull") == set()


def test_completion_loads_no_library_once_the_file_is_known(tmp_path, monkeypatch):
    (tmp_path / "compose.yaml").write_text(STACK)
    monkeypatch.chdir(tmp_path)
    own = {"completion", "complete.answer", "complete.words"}
    for line in (["up", "w"], ["--profile", ""], ["-p", ""], ["image", "rm", ""], ["up", "--"], [""]):
        modules(["__complete", "zsh", *line], tmp_path)
        loaded = modules(["__complete", "zsh", *line], tmp_path)
        assert heavy(loaded) == set(), line
        assert "orchestra.compose.loading" not in loaded, line
        assert others(loaded, *own, "config", "ls") == set(), line
    loaded = modules(["__complete", "zsh", "up", "--"], tmp_path)
    assert not any(name.startswith("orchestra.stacks.") for name in loaded - {"orchestra.stacks.context"})
    assert heavy(modules(["completion", "bash"], tmp_path)) == set()
