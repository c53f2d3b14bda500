"""The units of stacks: readable, sound for systemd whatever the paths, and found again."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from orchestra.home import find_home
from orchestra.model.health import Health, HealthStatus
from orchestra.model.project import Project
from orchestra.rootless.scope import scope_of
from orchestra.stacks.boot import enable as enabling
from orchestra.stacks.boot.stay import describe
from orchestra.stacks.boot.unit import (
    Unit,
    Units,
    directories_of,
    enabled_stacks,
    find_units,
    is_enabled,
    program_of,
    recovery,
    render,
)
from orchestra.stacks.containers import ContainerRow
from orchestra.stacks.context import Context

PLAIN = Unit(
    "shop", ("/usr/bin/orchestra",), directories=("/srv/shop", "/var/lib/orchestra"), files=("/srv/shop/c.yaml",)
)
STRANGE = Unit(
    "odd_1-x",
    ("/opt/a b $HOME %h/orchestra",),
    environment={"ORCHESTRA_HOME": '/data/x y"z %n'},
    directories=('/data/x y"z %n',),
    files=("/srv/100% x/c.yaml", "/srv/100%/c.yaml"),
)


def test_a_unit_reads_like_one_written_by_hand():
    lines = render(PLAIN).splitlines()
    assert lines[0] == "# Made by orchestra enable for the stack shop; orchestra disable removes it."
    assert "Description=Stack shop" in lines
    assert "Documentation=file:///srv/shop/c.yaml" in lines
    assert 'RequiresMountsFor="/srv/shop"' in lines
    assert 'ExecStart="/usr/bin/orchestra" "-p" "shop" "recover" "--stay"' in lines
    assert {"Type=notify", "KillMode=process", "Delegate=yes", "Restart=on-failure"} <= set(lines)
    assert not any(line.startswith("Environment=") for line in lines)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze must be installed")
@pytest.mark.parametrize("unit", [PLAIN, STRANGE], ids=["plain", "strange"])
def test_systemd_finds_no_mistake_in_a_unit(unit, tmp_path):
    program = str(tmp_path / os.path.basename(os.path.dirname(unit.program[0])))  # it must exist
    shutil.copy("/bin/true", program)
    path = Units(str(tmp_path)).path(unit.stack)
    with open(path, "w") as file:
        file.write(render(Unit(unit.stack, (program,), unit.environment, unit.directories, unit.files)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unit.stack not in done.stderr


def test_the_program_of_a_unit_is_read_back():
    assert program_of(render(STRANGE)) == STRANGE.program[0]
    assert program_of("") == ""
    assert recovery(PLAIN) == ["/usr/bin/orchestra", "-p", "shop", "recover"]


def test_a_stack_is_enabled_by_a_unit_of_its_home(tmp_path):
    units = Units(str(tmp_path))
    wants = tmp_path / f"{units.target}.wants"
    wants.mkdir()
    for unit in (PLAIN, STRANGE):
        path = units.path(unit.stack)
        with open(path, "w") as file:
            file.write(render(unit))
        os.symlink(path, wants / os.path.basename(path))
    (wants / "orchestra-hand.service").symlink_to("/dev/null")
    (wants / "ssh.service").symlink_to("/dev/null")
    assert enabled_stacks(units) == {"shop"}
    assert enabled_stacks(units._replace(home=STRANGE.environment["ORCHESTRA_HOME"])) == {"odd_1-x"}
    assert enabled_stacks(units._replace(home="/elsewhere")) == frozenset()
    assert enabled_stacks(Units(f"{tmp_path}/missing")) == frozenset()
    assert [is_enabled(stack, units) for stack in ("shop", "odd_1-x", "hand", "nosuch")] == [True] + [False] * 3


def test_a_user_has_units_of_their_own():
    units = find_units({"HOME": "/home/ann", "ORCHESTRA_HOME": "/data"}, 1000)
    assert units == Units("/home/ann/.config/systemd/user", "default.target", "/data", 1000)
    assert find_units({"HOME": "/home/ann", "XDG_CONFIG_HOME": "/conf"}, 1000).path("shop") == (
        "/conf/systemd/user/orchestra-shop.service"
    )
    home = find_home({"HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/1000"}, 1000)
    environment = {"HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/1000"}
    context = Context(home, "local", Project(name="shop"), environment)
    lines = render(enabling.describe_unit(context, "shop", units), units.target).splitlines()
    assert "WantedBy=default.target" in lines
    assert f"After={scope_of(home.rootless)}" in lines
    assert 'Environment="XDG_RUNTIME_DIR=/run/user/1000"' in lines
    assert not any("network-online" in line or "RequiresMountsFor" in line for line in lines)


def test_directories_below_others_are_left_out():
    assert directories_of(["/srv/shop", "/var/lib/orchestra", "/srv/shop/deep", "/srv/shop2"]) == (
        "/srv/shop",
        "/srv/shop2",
        "/var/lib/orchestra",
    )


def test_without_systemd_it_says_what_to_run_at_boot(tmp_path, monkeypatch):
    monkeypatch.setattr(enabling.manager, "BOOTED", str(tmp_path / "missing"))
    monkeypatch.setattr(enabling.sys, "argv", ["/usr/bin/orchestra", "enable"])
    environment = {"ORCHESTRA_HOME": str(tmp_path)}
    context = Context(find_home(environment, 0), "local", Project(name="shop"), environment, str(tmp_path))
    with pytest.raises(enabling.EnvironmentLack) as caught:
        enabling.enable(context, Units(str(tmp_path), home=str(tmp_path)))
    assert caught.value.hint.endswith(f"env ORCHESTRA_HOME={tmp_path} /usr/bin/orchestra -p shop recover")
    assert os.listdir(tmp_path) == []


class Killed(BaseException):
    """The process has ended here."""


class Systemd:
    """Links what is enabled, as systemd does. left: how many more steps are taken before the process is killed."""

    def __init__(self, units: Units) -> None:
        self.left, self._units = None, units

    def step(self):
        if self.left == 0:
            raise Killed
        self.left = None if self.left is None else self.left - 1

    def act(self, act, *arguments):
        self.step()
        act(*arguments)

    def call(self, _bus, member, _signature, *values):
        self.step()
        folder = Path(self._units.directory, f"{self._units.target}.wants")
        for name in values[0] if member in ("EnableUnitFiles", "DisableUnitFiles") else ():
            folder.mkdir(exist_ok=True)
            (folder / name).unlink(missing_ok=True)
            if member == "EnableUnitFiles":
                (folder / name).symlink_to(Path(self._units.directory, name))
        return ("job",)


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    made = Systemd(Units(str(tmp_path), home="/home"))
    monkeypatch.setattr(enabling.manager, "is_booted", lambda: True)
    monkeypatch.setattr(enabling.manager, "connect", lambda _user: ExitStack())
    monkeypatch.setattr(enabling.manager, "call", made.call)
    monkeypatch.setattr(enabling.manager, "wait_for_job", lambda *_: "done")
    for act in (os.replace, os.unlink):
        monkeypatch.setattr(enabling.os, act.__name__, partial(made.act, act))
    return made


@pytest.mark.parametrize("steps", range(5))
def test_enable_and_disable_that_were_killed_are_completed_by_the_next(systemd, tmp_path, steps):
    units = Units(str(tmp_path), home="/home")
    context = Context(find_home({"ORCHESTRA_HOME": "/home"}, 0), "local", Project(name="shop"), {}, str(tmp_path))

    def kill_after(command):
        systemd.left = steps
        with suppress(Killed):
            command(context, units)
        systemd.left = None

    kill_after(enabling.enable)
    assert enabling.disable(context, units) in ("shop", None)
    assert [path.name for path in tmp_path.rglob("*shop*")] == []

    kill_after(enabling.enable)
    assert enabling.enable(context, units).unit == "orchestra-shop.service"
    assert enabled_stacks(units) == {"shop"}
    kill_after(enabling.disable)
    assert enabling.disable(context, units) in ("shop", None)
    assert [path.name for path in tmp_path.rglob("*shop*")] == []


def row(name, **fields):
    return ContainerRow(name, name, "", "", "", 0.0, **fields)


def test_the_status_names_what_is_not_well():
    sick, well = Health(HealthStatus.UNHEALTHY), Health(HealthStatus.HEALTHY)
    rows = [
        row("a", state="running", health=well),
        row("b", state="running", health=sick),
        row("c", state="exited", exit_code=1),
        row("d", state="exited", exit_code=0),
        row("e", state="created", error="no such file"),
        row("f", state="exited", exit_code=None),
    ]
    assert describe(rows) == "2 of 6 running, 1 healthy, unhealthy: b, not started: e, exited: c (1)"
