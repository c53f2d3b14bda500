"""Commands of the docker client have the results that they have with Docker's engine, but for those that are listed."""

from __future__ import annotations

import pytest

from tests.engine_api.beside_docker import CLIENT, client_version, recorded, run_all
from tests.engine_api.conftest import serving
from tests.examples.conftest import needs_containers

pytestmark = [
    *needs_containers,
    pytest.mark.xdist_group("engine_api"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(client_version() != CLIENT, reason=f"version {CLIENT} of the docker command must be installed"),
]

DIFFERENCES = {
    "run --rm bb nosuch": "the runtime's own words are told, with the same exit code",
    "run --rm bb /etc": "the runtime's own words are told, with the same exit code",
    "exec one nosuch": "the code is 127, as with run: that of a program that does not exist",
    "inspect one --format '{{json .Config.Env}}'": "the variables are those that the program has got",
    "inspect one --format '{{.HostConfig.CgroupnsMode}}": "control groups are private on version 1, too",
    "top one": "the init process has another name",
    "diff one": "files that are there to be mounted over are left out, and there is no file of the init process",
    "volume rm data": "the container is named with its stack",
    "rmi ": "an image is one thing that is deleted; layers are not told of",
    "history --format '{{.CreatedBy}}' --no-trunc built": "the steps are written as BuildKit writes them",
    "build -q -": "errors have the builder's own words, with the same exit code",
    "events --since 10m --until 0s --filter type=container": "a commit tells of no pause, and a stop of no signals",
    "events --since 10m --until 0s --filter type=network": "connections of a new container are not told of",
    "container prune -f": "a build that has failed leaves no container",
    "info": "a build leaves no images of its steps",
}
"""Beginnings of commands, and why their result is another one here."""
SAME = ("rmi other/bb:1", "rmi nosuch", "build -q -t")
"""What begins so, too, and is the same."""


def test_every_difference_is_one_of_a_command_that_is_run():
    lines = [step.line for step in recorded()]
    assert [each for each in DIFFERENCES if not any(line.startswith(each) for line in lines)] == []


@pytest.fixture(scope="module")
def results(write_shared_stack, busybox_root):
    stack = write_shared_stack("services: {}", name="none")
    stack.home.mkdir(exist_ok=True)
    with serving(stack, stack.home.parent / "beside.sock") as served:
        return run_all(str(served.engine.path), busybox_root)


@pytest.mark.parametrize(("place", "step"), [*enumerate(recorded())], ids=[step.line for step in recorded()])
def test_a_command_has_the_result_that_it_has_with_docker(place, step, results):
    if step.line.startswith(tuple(DIFFERENCES)) and not step.line.startswith(SAME):
        assert results[place].result != step.result, "it does not differ any more: take it from the list"
    else:
        assert results[place].result == step.result
