"""What dashboards show of all stacks at one moment."""

from __future__ import annotations

import pytest

from orchestra.home import find_home
from orchestra.model.health import Health, HealthStatus
from orchestra.model.project import Project
from orchestra.model.usage import Usage
from orchestra.stacks.containers import ContainerRow, Known, find_stack
from orchestra.stacks.context import Context
from orchestra.stacks.overview import DOWN, ContainerView, Lookout, ServiceView, context_of
from tests.cli.conftest import ByHand


@pytest.fixture
def context(tmp_path):
    home = find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0)
    return Context(home, "local", Project(), {}, str(tmp_path))


def replica(state="running", status=HealthStatus.NONE, **more):
    return ContainerView(ContainerRow("n", "web", "i", "x", "", 0.0, state=state, health=Health(status)), **more)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ((), DOWN),
        (("running",), "running"),
        (("running", "paused"), "paused"),
        (("running", "exited"), "exited"),
        (("exited", "restarting"), "restarting"),
        (("removing",), "removing"),
    ],
)
def test_a_service_is_in_the_state_that_needs_attention_most(states, state):
    assert ServiceView("web", 1, tuple(map(replica, states))).state == state


def test_a_one_off_command_does_not_speak_for_its_service():
    once = ContainerView(ContainerRow("n", "web", "i", "x", "", 0.0, state="exited", one_off=True))
    assert ServiceView("web", 1, (replica(), once)).state == "running"
    assert ServiceView("web", 1, (once,)).state == "exited"


def test_health_is_the_worst_of_what_runs_and_usage_the_sum():
    good, bad = replica(status=HealthStatus.HEALTHY), replica(status=HealthStatus.UNHEALTHY)
    gone = replica("exited", HealthStatus.UNHEALTHY)
    assert ServiceView("web", 2, (good, gone)).health is HealthStatus.HEALTHY
    assert ServiceView("web", 2, (good, bad)).health is HealthStatus.UNHEALTHY
    busy = replica(processor=2.5, usage=Usage(memory=100))
    assert (ServiceView("web", 2, (busy, busy)).processor, ServiceView("web", 2, (busy, busy)).memory) == (5.0, 200)


def test_services_are_those_of_the_file_and_of_containers(context):
    shop = ByHand(context.home, "shop")
    shop.want(
        services=["web", "db"],
        containers=[{"service": "web"}, {"service": "web"}, {"service": "web", "one_off": {"id": "x"}}],
        config_files=["/srv/shop/compose.yaml"],
        project_directory="/srv/shop",
    )
    shop.run(shop.create("web", 2))
    shop.create("web", 1)
    shop.create("old")
    lookout = Lookout(context)
    lookout.look()
    (stack,) = lookout.look().stacks
    assert (stack.name, stack.files, stack.directory) == ("shop", ("/srv/shop/compose.yaml",), "/srv/shop")
    assert [(each.name, each.wanted, each.running, each.is_declared) for each in stack.services] == [
        ("db", 0, 0, True),
        ("old", 0, 0, False),
        ("web", 2, 1, True),
    ]
    web = stack.service("web")
    assert [each.row.index for each in web.containers] == [1, 2]
    assert [each.usage is None for each in web.containers] == [True, False]
    assert all(each.usage is None for each in lookout.look(measure=False).stack("shop").containers)


def test_the_stack_of_a_file_is_there_before_it_is_up_and_gone_ones_are_not(context, tmp_path):
    lookout = Lookout(context, own=Known("new", ("web",)))
    assert [(each.name, [*map(str, [each.services[0].state])]) for each in lookout.look().stacks] == [("new", [DOWN])]
    shop = ByHand(context.home, "shop")
    shop.want(services=["web"])
    assert [each.name for each in lookout.look().stacks] == ["new", "shop"]
    (tmp_path / "home/data/stacks/shop/desired.json").write_text("{")
    assert lookout.look().stack("shop").services == ()
    (tmp_path / "home/data/stacks/shop/desired.json").unlink()
    assert [each.name for each in lookout.look().stacks] == ["new"]
    assert [each.name for each in Lookout(context, ("shop",), Known("new", ())).look().stacks] == ["shop"]


def test_a_stack_is_asked_about_with_its_files_while_they_are_there(context, tmp_path):
    (tmp_path / "compose.yaml").write_text("name: other\nservices: {no: {image: x}}\n")
    shop = ByHand(context.home, "shop")
    shop.want(services=["web"], config_files=[f"{tmp_path}/shop.yaml"], project_directory=str(tmp_path))
    (stack,) = Lookout(context).look().stacks
    assert find_stack(context_of(context, stack)) == Known("shop", None)
    (tmp_path / "shop.yaml").write_text("services: {web: {image: x}}\n")
    theirs = context_of(context, stack)
    assert theirs.project == Project(files=(f"{tmp_path}/shop.yaml",), name="shop", directory=str(tmp_path))
