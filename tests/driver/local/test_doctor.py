"""The doctor tries things out, leaves nothing behind, and knows for every lack what it costs and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.cli.doctor import render
from orchestra.driver.local import doctor, trial
from orchestra.driver.local.doctor import Fact, State, can_run, examine
from orchestra.driver.local.net.mark import home_hash
from orchestra.home import Home
from orchestra.linux.syscall import SystemCallError
from tests.forking import fork
from tests.run import all_groups


@pytest.fixture
def home(tmp_path):
    return Home(f"{tmp_path}/data", f"{tmp_path}/run")


def test_every_lack_says_what_it_costs_and_what_to_do(home):
    facts = list(examine(home))
    for fact in facts:
        assert (fact.state is State.OK) == (fact.cost == "") == (fact.remedy == ""), fact
    names = [fact.name for fact in facts]
    assert len(names) == len(set(names))
    assert {"kernel", "CAP_SYS_ADMIN", "mount namespaces", "user namespaces", "overlayfs", "cgroups"} <= set(names)
    assert {"nftables", "ip_forward", "pidfd", "openat2", "mount_setattr", "space for data"} <= set(names)


def test_nothing_of_the_trials_is_left(home, tmp_path):
    list(examine(home))
    assert list(tmp_path.iterdir()) == []
    assert "doctor" not in Path("/proc/self/mountinfo").read_text()
    assert not [name for name in os.listdir("/sys/class/net") if "doctor" in name]
    assert [group for group in all_groups() if home_hash(home) in group] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_without_root_learns_on_one_screen_that_root_is_needed(home, tmp_path):
    tmp_path.chmod(0o755)
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            text = json.dumps([fact._asdict() for fact in examine(home)])
            os.write(writer, text.encode())
        finally:
            os._exit(0)
    os.close(writer)
    text = b""
    while data := os.read(reader, 65536):
        text += data
    os.close(reader)
    os.waitpid(pid, 0)
    facts = {row["name"]: Fact(**row | {"state": State(row["state"])}) for row in json.loads(text)}
    assert not can_run(list(facts.values()))
    assert facts["root"].state is State.LACKING
    assert facts["root"].remedy == "sudo orchestra doctor"
    assert {name for name, fact in facts.items() if fact.state is State.LACKING} == {"root"}
    assert facts["openat2"].state is State.OK
    shown = render(list(facts.values()), runs=False, color=False)
    assert len(shown.splitlines()) <= 24


def test_a_trial_that_fails_says_why():
    def refused():
        raise SystemCallError(1, "unshare", "network")

    assert trial.attempt(refused) == trial.Outcome(False, "unshare: Operation not permitted")
    assert trial.attempt(lambda: "as asked") == trial.Outcome(True, "as asked")


def test_a_trial_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 0.05)
    works, detail = trial.attempt(lambda: trial.signal.pause())
    assert not works
    assert "no answer" in detail


def test_one_thing_that_is_lacking_is_enough():
    good = [Fact("a", State.OK), Fact("b", State.LIMITED, "", "slow", "wait")]
    assert can_run(good)
    assert not can_run([*good, Fact("c", State.LACKING, "", "nothing", "pray")])


def test_an_old_kernel_is_named(monkeypatch):
    for release, state in (("5.4.0-generic", State.LACKING), ("6.1.0", State.LIMITED), ("6.18.1-x", State.OK)):
        monkeypatch.setattr(doctor.os, "uname", lambda release=release: type("U", (), {"release": release}))
        assert doctor._kernel().state is state


def test_the_command_answers_in_text_and_json_with_one_exit_code(tmp_path):
    environment = os.environ | {"ORCHESTRA_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "orchestra", "doctor"]
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    data = subprocess.run([*command, "--format", "json"], env=environment, capture_output=True, text=True, check=False)
    told = json.loads(data.stdout)
    assert text.returncode == data.returncode == (0 if told["can_run"] else 1)
    assert text.stdout.splitlines()[-1].startswith("Stacks can run" if told["can_run"] else "No stack can run")
    assert text.stderr == data.stderr == ""
