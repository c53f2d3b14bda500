"""Containers that crun and runc make for our shim keep what is promised of our own: the same tests, by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from errno import EACCES, ENOENT
from pathlib import Path

import pytest

from orchestra.container.directory import ContainerDirectory
from orchestra.linux.syscall import SystemCallError
from orchestra.shim.client import Status
from orchestra.shim.runtime_program import RuntimeProgram, adapt
from tests.shim.conftest import Stack
from tests.shim.test_execution import (
    running,  # noqa: F401
    test_a_signal_ends_it,  # noqa: F401
    test_a_terminal_can_be_resized_and_nothing_else,  # noqa: F401
    test_it_ends_with_its_container,  # noqa: F401
    test_it_is_in_the_containers_cgroup,  # noqa: F401
    test_it_is_in_the_containers_namespaces_and_root,  # noqa: F401
    test_only_a_running_container_can_be_entered,  # noqa: F401
    test_standard_streams_and_exit_code,  # noqa: F401
    test_what_hangs_up_takes_back_a_program_that_the_container_has_stopped_on_its_way,  # noqa: F401
    test_what_is_tied_is_killed_with_its_children_when_it_is_abandoned,  # noqa: F401
)
from tests.shim.test_limits import (
    test_memory_beyond_the_limit_kills_and_is_recorded,  # noqa: F401
    test_processes_beyond_the_limit_are_refused,  # noqa: F401
)
from tests.shim.test_run import (
    test_a_container_can_be_run_again,  # noqa: F401
    test_a_created_container_that_is_killed_leaves_nothing,  # noqa: F401
    test_a_signal_ends_it_with_its_number_and_128,  # noqa: F401
    test_create_waits_for_start,  # noqa: F401
    test_delete_ends_what_runs_and_may_be_repeated,  # noqa: F401
    test_its_record_is_there_before_the_program_runs,  # noqa: F401
    test_the_exit_code_is_recorded,  # noqa: F401
    test_what_has_been_started_cannot_be_started_again,  # noqa: F401
)
from tests.shim.test_streams import (
    test_a_terminal,  # noqa: F401
    test_attached_clients_see_everything_up_to_the_end,  # noqa: F401
    test_input_reaches_the_program,  # noqa: F401
    test_without_standard_input_it_reads_the_end_at_once,  # noqa: F401
)
from tests.shim.test_survival import (
    test_a_created_container_whose_shim_is_killed_is_gone,  # noqa: F401
    test_a_shim_killed_at_rest_is_replaced_and_the_container_goes_on,  # noqa: F401
    test_a_shim_killed_with_its_container_still_knows_the_exit_code,  # noqa: F401
    test_another_fork_server_adopts_what_lives,  # noqa: F401
    test_both_killed_the_container_goes_on_and_is_adopted,  # noqa: F401
    test_deleting_works_without_a_fork_server,  # noqa: F401
    test_without_its_fork_server_a_container_goes_on_and_ends_in_order,  # noqa: F401
)

pytestmark = pytest.mark.timeout(60)


class OtherStack(Stack):
    program = ""

    def container(self, *args, **keys):
        made = super().container(*args, **keys)
        made.settings["runtime"] = self.program
        made.write()
        return made


def takes_bundles(program):
    if program is None:
        return False
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return not said.startswith("crun") or "+YAJL" in said


@pytest.fixture(params=["crun", "runc"])
def stack(request, tmp_path, tree):
    program = shutil.which(request.param)
    if not takes_bundles(program):
        pytest.skip(f"{request.param} is not installed, or reads no configuration")
    made = OtherStack(tmp_path, tree)
    made.program = program
    made.launch()
    try:
        yield made
    finally:
        made.close()
    assert made.groups() == []


@pytest.mark.parametrize(("program", "number"), [("nonsense", ENOENT), ("/etc/secret", EACCES)])
def test_what_cannot_be_run_says_why_and_leaves_nothing(stack, program, number):
    container = stack.container(program)
    with pytest.raises(SystemCallError) as refused:
        container.run()
    assert (refused.value.errno, refused.value.call) == (number, "execve"), refused.value
    assert container.state().status is Status.ABSENT
    assert container.leftovers() == []


def test_a_program_missing_in_a_container_is_reported(running):  # noqa: F811
    with pytest.raises(SystemCallError) as refused:
        running.execute("nonsense")
    assert (refused.value.errno, refused.value.call) == (ENOENT, "execve"), refused.value


def test_a_reaper_that_is_asked_for_is_missed(stack):
    container = stack.container("true", annotations={"io.orchestra.init": "true"})
    assert "reaper" in container.run().warnings[0]
    assert container.wait().exit_code == 0


def test_without_standard_input_it_is_given_nothing_of_the_machine(stack):
    """crun gives it to the root of a user namespace, which would have the machine's /dev/null then."""
    (said,) = stack.container("readlink", "/proc/self/fd/0").finish()
    assert said.startswith("pipe:")


def test_a_missing_runtime_is_reported(stack):
    container = stack.container("true")
    container.settings["runtime"] = "/nowhere/crun"
    container.write()
    with pytest.raises(SystemCallError, match="/nowhere/crun"):
        container.run()
    assert container.leftovers() == []


def test_our_own_command_line_is_a_runtime_too(tmp_path, tree):
    launcher = tmp_path / "orchestra-runtime"
    launcher.write_text(f'#!/bin/sh\nexec {shutil.which("python3")} -m orchestra.oci_cli "$@"\n')
    launcher.chmod(0o755)
    made = OtherStack(tmp_path, tree)
    made.program = str(launcher)
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    try:
        made.launch()
    finally:
        del os.environ["PYTHONPATH"]
    try:
        assert made.shell("echo hello").finish() == ["hello"]
    finally:
        made.close()
    assert made.groups() == []


def test_a_bundle_is_adapted():
    """Also a file that is read-only with all below it: just read-only."""
    config = {
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [
            {"destination": "/etc/hosts", "type": "bind", "source": "hosts", "options": ["rro"]},
            {"destination": "/proc", "type": "proc"},
            {"destination": "/data", "source": "/srv", "options": ["bind"]},
        ],
    }
    assert json.loads(json.dumps(adapt(config, "/d"))) == {
        "ociVersion": "1.0.2",
        "root": {"path": "/d/rootfs", "readonly": True},
        "mounts": [
            {"destination": "/etc/hosts", "type": "bind", "source": "/d/hosts", "options": ["ro", "rbind"]},
            {"destination": "/proc", "type": "proc", "source": "proc", "options": []},
            {"destination": "/data", "source": "/srv", "options": ["bind"]},
        ],
    }


def test_what_another_has_deleted_meanwhile_is_no_failure(tmp_path):
    """A shim that was killed has begun to delete the container, and its runtime was quicker."""
    program = tmp_path / "runtime"
    program.write_text("#!/bin/sh\necho 'container does not exist' >&2\nexit 1\n")
    program.chmod(0o755)
    directory = tmp_path / "s-web-1"
    (directory / "rootfs").mkdir(parents=True)
    (directory / "runtime/state/s-web-1").mkdir(parents=True)
    runtime = RuntimeProgram(str(program), ContainerDirectory(str(directory)))
    with pytest.raises(SystemCallError, match="runtime delete"):
        runtime.delete()
    (directory / "runtime/state/s-web-1").rmdir()
    runtime.delete()
    assert not (directory / "runtime").exists()
