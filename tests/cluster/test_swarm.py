"""A stack in a Swarm: what is made, in which order, and what happens when that fails."""

from __future__ import annotations

import base64
import threading
import time
from functools import partial

import pytest

from orchestra.cluster.change import Terms
from orchestra.cluster.difference import difference
from orchestra.cluster.endpoint import Endpoint
from orchestra.cluster.manager import Manager
from orchestra.cluster.news import News
from orchestra.cluster.registries import Login
from orchestra.cluster.revisions import current, previous
from orchestra.cluster.swarm import DIGEST, SwarmDeployment
from orchestra.cluster.swarm_objects import of_stack, take_away
from orchestra.cluster.swarm_revisions import kept_of, kinds_of, scaled
from orchestra.cluster.tasks import progress, tasks
from orchestra.compose import LoadRequest
from orchestra.errors import EnvironmentLack, FatalError, UserError
from orchestra.translation.source import read
from orchestra.translation.swarm.specs import specs
from orchestra.translation.swarm.translate import translate_plain
from tests.cluster.engine import Engine, listening, running

SHOP = """
services:
  web:
    image: web:%s
    command: [serve, "$$HOME"]
    ports: ["80:8000"]
    secrets: [password]
    depends_on: {db: {condition: service_healthy}, migrate: {condition: service_completed_successfully}}
    healthcheck: {test: check, interval: 5s}
    deploy:
      replicas: %s
      resources: {limits: {cpus: "0.5", memory: 64m}}
      update_config: {order: start-first, delay: 1s}
  migrate: {image: "web:%s", restart: on-failure}
  db: {image: db, volumes: [data:/data]}
volumes: {data: }
secrets: {password: {environment: PASSWORD}}
"""


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def manager(engine, tmp_path, clock):
    with listening(engine, str(tmp_path / "engine.sock")) as address:
        manager = Manager(Endpoint(address), clock.pause)
        yield manager
        manager.close()


@pytest.fixture
def shop(tmp_path):
    def shop(version="1", replicas=2, password="one", text=SHOP):
        (tmp_path / "compose.yaml").write_text(text % (version, replicas, version) if "%s" in text else text)
        environment = {"PASSWORD": password}
        request = LoadRequest(
            environment=environment, working_directory=str(tmp_path), files=("compose.yaml",), project_name="stack"
        )
        source = read(request)
        translation = translate_plain(source)
        made = specs(translation.objects[0], "stack", translation.files)
        needs = {
            f"stack_{key}": {f"stack_{name}": needed.condition for name, needed in (service.depends_on or {}).items()}
            for key, service in source.stack.services.items()
        }
        return {kind: getattr(made, kind) for kind in made._fields}, needs

    return shop


@pytest.fixture
def deploy(manager, clock):
    def deploy(stack, **terms):
        def tell(subject, text):
            deploy.told.append(f"{subject} {text}")

        return SwarmDeployment(manager, "stack", Terms(**terms), tell, clock, clock.pause).run(*stack)

    deploy.told = []
    return deploy


def effects(changes):
    return {str(change.key): str(change.effect) for change in changes if change.effect != "unchanged"}


def made(engine):
    return [line.split("/")[1] for line in engine.seen if line.endswith("/create")]


def test_services_are_as_the_file_says(engine, shop, deploy):
    deploy(shop())
    spec = engine.items["services"]["stack_web"]["Spec"]
    task = spec["TaskTemplate"]
    assert spec["Mode"] == {"Replicated": {"Replicas": 2}}
    assert spec["UpdateConfig"] == {"Delay": 10**9, "Order": "start-first"}
    assert spec["EndpointSpec"]["Ports"] == [
        {"Protocol": "tcp", "TargetPort": 8000, "PublishedPort": 80, "PublishMode": "ingress"}
    ]
    assert task["Resources"]["Limits"] == {"NanoCPUs": 500_000_000, "MemoryBytes": 64 << 20}
    assert task["Networks"] == [{"Target": "stack_default", "Aliases": ["web"]}]
    container = task["ContainerSpec"]
    assert container["Args"] == ["serve", "$HOME"]
    assert container["Healthcheck"] == {"Test": ["CMD-SHELL", "check"], "Interval": 5 * 10**9}
    (secret,) = container["Secrets"]
    kept = engine.items["secrets"][secret["SecretName"]]
    assert (secret["SecretID"], secret["File"]["Name"]) == (kept["ID"], "password")
    assert base64.b64decode(kept["Spec"]["Data"]) == b"one"


def test_what_is_waited_for_comes_first(engine, shop, deploy):
    deploy(shop())
    assert made(engine)[:3] == ["configs", "networks", "secrets"]
    created = [line.split()[0] for line in deploy.told if line.startswith("service/") and line.endswith(" created")]
    assert created[-1] == "service/stack_web"
    assert deploy.told.index("service/stack_migrate completed") < deploy.told.index("service/stack_web created")


def test_a_job_that_runs_is_waited_for_until_it_has_completed(engine, shop, deploy, clock):
    engine.states = lambda spec: ["running"] * len(running(spec))
    clock.at_pause = lambda: setattr(engine, "states", running)
    deploy(shop())
    assert len(clock.waits) == 1
    assert deploy.told.index("service/stack_migrate completed") < deploy.told.index("service/stack_web created")


def test_a_second_deploy_changes_nothing(engine, shop, deploy):
    deploy(shop())
    engine.seen.clear()
    assert effects(deploy(shop())) == {}
    assert [line for line in engine.seen if not line.startswith("GET")] == []


def test_logins_are_given_with_the_services_that_need_them(engine, shop, deploy):
    deploy((*shop(), {"web:1": Login("registry.example", "user", "pass word")}))
    said = {"username": "user", "password": "pass word", "serveraddress": "registry.example"}
    assert engine.logins == [said, said]  # of web and migrate
    deploy((*shop("2"), {"web:2": Login("registry.example", identity="token")}))
    assert engine.logins[2:] == [{"identitytoken": "token", "serveraddress": "registry.example"}] * 2


def test_scaling_replaces_no_task(engine, shop, deploy):
    deploy(shop())
    before = engine.items["services"]["stack_web"]["Spec"]["TaskTemplate"]
    assert effects(deploy(shop(replicas=5))) == {"service/stack_web": "changed"}
    assert engine.items["services"]["stack_web"]["Spec"]["TaskTemplate"] == before


def test_a_dry_run_changes_nothing(engine, shop, deploy):
    assert set(effects(deploy(shop(), dry=True)).values()) == {"created"}
    assert engine.items["services"] == {}


def test_a_dry_run_shows_a_diff_without_secrets(shop, deploy):
    shown = "".join(map(difference, deploy(shop(), dry=True)))
    assert "+Name: stack_web\n" in shown
    assert "b25l" not in shown
    deploy(shop())
    (web,) = [change for change in deploy(shop(replicas=5), dry=True) if change.effect == "changed"]
    assert [line for line in difference(web).splitlines() if "Replicas" in line] == [
        "-    Replicas: 2",
        "+    Replicas: 5",
    ]


def test_a_new_content_replaces_its_object_after_those_that_use_it(engine, shop, deploy):
    deploy(shop())
    (old,) = engine.items["secrets"]
    assert set(effects(deploy(shop(password="two"))).values()) == {"created", "changed"}
    assert old in engine.items["secrets"]  # one can go back to it
    assert set(effects(deploy(shop("2", password="two"))).values()) == {"changed", "removed"}
    assert old not in engine.items["secrets"]


def test_one_can_go_back_to_the_deployment_before(engine, shop, deploy, manager):
    deploy(shop())
    before = {name: item["Spec"] for name, item in engine.items["services"].items()}
    without = SHOP.replace("  migrate: {image", "  other: {image").replace("migrate: {cond", "other: {cond")
    deploy(shop("2", password="two", text=without))
    assert engine.items["services"].keys() == {"stack_web", "stack_db", "stack_other"}
    found = of_stack(manager, "stack")
    content = previous(kept_of(found["configs"]))
    changes = effects(deploy((kinds_of(content, found), content["needs"])))
    assert changes == {
        "service/stack_web": "changed",
        "service/stack_migrate": "created",
        "service/stack_other": "removed",
    }
    assert {name: item["Spec"] for name, item in engine.items["services"].items()} == before
    assert len(kept_of(of_stack(manager, "stack")["configs"])) == 2


def test_a_secret_that_is_gone_cannot_be_gone_back_to(engine, shop, deploy, manager):
    deploy(shop())
    (old,) = engine.items["secrets"]
    deploy(shop(password="two"))
    del engine.items["secrets"][old]
    found = of_stack(manager, "stack")
    with pytest.raises(UserError, match=f"secrets of that deployment are gone: {old}"):
        kinds_of(previous(kept_of(found["configs"])), found)


def test_scaling_is_undone_by_the_next_deploy(engine, shop, deploy, manager):
    deploy(shop())
    found = of_stack(manager, "stack")
    content = scaled(current(kept_of(found["configs"])), {"stack_web": 7})
    assert effects(deploy((kinds_of(content, found), content["needs"]))) == {"service/stack_web": "changed"}
    assert engine.items["services"]["stack_web"]["Spec"]["Mode"] == {"Replicated": {"Replicas": 7}}
    assert effects(deploy(shop())) == {"service/stack_web": "changed"}
    assert engine.items["services"]["stack_web"]["Spec"]["Mode"] == {"Replicated": {"Replicas": 2}}
    with pytest.raises(UserError, match="no service 'stack_other'"):
        scaled(content, {"stack_other": 1})


def test_an_update_that_the_swarm_stops_takes_all_back(engine, shop, deploy):
    deploy(shop())
    before = engine.items["services"]["stack_web"]["Spec"]
    engine.states = lambda spec: ["rejected"] if "web:2" in str(spec) else running(spec)
    engine.update = lambda spec: {"State": "paused", "Message": "update paused"} if "web:2" in str(spec) else {}
    with pytest.raises(FatalError, match=r"stack_(web|migrate): update paused") as caught:
        deploy(shop("2", password="two"))
    assert caught.value.hint == "no such image"
    assert engine.items["services"]["stack_web"]["Spec"] == before
    assert len(engine.items["secrets"]) == 1


def test_patience_ends_with_what_is_wrong(engine, shop, deploy):
    engine.states = lambda spec: ["rejected"] if spec["Name"] == "stack_db" else running(spec)
    with pytest.raises(FatalError, match="stack_db not ready after 5 seconds") as caught:
        deploy(shop(), seconds=5)
    assert caught.value.hint == "no such image"
    assert engine.items == {"services": {}, "networks": {}, "configs": {}, "secrets": {}}


def test_a_network_in_use_is_removed_when_its_tasks_have_ended(engine, shop, deploy, manager, clock):
    deploy(shop())
    engine.faults.append(("DELETE /networks", 403, "network is in use"))
    take_away(manager, "stack", of_stack(manager, "stack"), lambda *_: None, clock, clock.pause)
    assert engine.items == {"services": {}, "networks": {}, "configs": {}, "secrets": {}}
    assert len(clock.waits) == 1


def test_taking_away_waits_for_containers(engine, shop, deploy, manager, clock):
    deploy(shop())
    engine.leftover = engine.tasks(engine.items["services"]["stack_web"])

    spec = engine.items["services"]["stack_web"]["Spec"]["TaskTemplate"]["ContainerSpec"]
    spec["StopGracePeriod"] = 90 * 10**9

    def take():
        take_away(manager, "stack", of_stack(manager, "stack"), lambda *_: None, clock, clock.pause)

    with pytest.raises(FatalError, match="containers on node-1 still run after 150 seconds"):
        take()
    deploy(shop())
    engine.leftover = engine.tasks(engine.items["services"]["stack_web"])
    clock.at_pause = engine.leftover.clear
    take()
    assert engine.leftover == []


def test_the_containers_of_a_node_that_is_down_are_not_waited_for(engine, shop, deploy, manager, clock):
    deploy(shop())
    engine.leftover, engine.node_state = engine.tasks(engine.items["services"]["stack_web"]), "down"
    told = []
    take_away(manager, "stack", of_stack(manager, "stack"), lambda *words: told.append(words), clock, clock.pause)
    assert told[-1] == ("node/node-1", "is down: containers on it are removed when it comes back")


def test_a_swarm_that_chooses_a_leader_is_asked_again(engine, shop, deploy, clock):
    engine.faults += [("POST /services/create", 500, "rpc error: the swarm does not have a leader")] * 10
    deploy(shop())
    assert len(engine.items["services"]) == 3
    assert sum(clock.waits) > 20


def test_another_failure_of_a_change_is_not_tried_again(engine, shop, deploy):
    engine.faults.append(("POST /services/create", 500, "no space left"))
    with pytest.raises(FatalError, match="no space left"):
        deploy(shop())


def test_an_engine_without_a_swarm(engine, shop, deploy):
    engine.manages = False
    with pytest.raises(UserError, match="does not manage a swarm"):
        deploy(shop())


def test_an_engine_that_is_not_there(tmp_path):
    manager = Manager(Endpoint(f"unix://{tmp_path}/none.sock"), lambda _: None)
    with pytest.raises(EnvironmentLack, match="no engine here"):
        manager.get("/info")
    manager.close()
    with pytest.raises(UserError, match="not the address"):
        Manager(Endpoint("ftp://host"))


def test_predecessors_of_tasks_do_not_count(engine, shop, deploy, manager):
    deploy(shop())
    service = engine.items["services"]["stack_web"]
    newer = [{**task, "CreatedAt": "2"} for task in engine.tasks(service)]
    older = [{**task, "CreatedAt": "1"} for task in newer]
    newer[1] = {**newer[1], "Status": {"State": "starting"}}
    digest = newer[0]["Spec"]["ContainerSpec"]["Labels"][DIGEST]
    state = progress(service, [*newer, *older], digest, DIGEST)
    assert (state.done, state.text) == (False, "1 of 2 tasks running (starting)")


def test_a_global_service_is_done_without_the_nodes_that_were_drained(engine, shop, deploy):
    deploy(shop())
    service = engine.items["services"]["stack_web"]
    service["Spec"] = {**service["Spec"], "Mode": {"Global": {}}}
    (task,) = engine.tasks(service)
    stays, leaves = ({**task, "Slot": None, "NodeID": node} for node in "ab")
    digest = stays["Spec"]["ContainerSpec"]["Labels"][DIGEST]
    drained = {**leaves, "DesiredState": "shutdown", "Status": {"State": "shutdown"}}
    state = progress(service, [stays, drained], digest, DIGEST)
    assert (state.done, state.text) == (True, "1 of 1 tasks running")
    broken = {**leaves, "DesiredState": "shutdown", "Status": {"State": "failed"}}
    assert not progress(service, [stays, broken], digest, DIGEST).done


def test_tasks_are_listed(shop, deploy, manager):
    deploy(shop())
    found = tasks(manager, "stack", ("web",))
    assert [(task.name, task.status, task.node) for task in found] == [
        ("stack_web.1", "running", "node-1"),
        ("stack_web.2", "running", "node-1"),
    ]


def test_an_event_of_the_swarm_ends_a_wait(engine, manager):
    with News([partial(manager.events, type=["service"])], manager.cut, tells_all=False) as news:
        before = len(engine.seen)
        engine.told.put({"Type": "service", "Action": "update"})
        news.wait(20)
        assert engine.told.empty()
        assert engine.seen[before:] == ["GET /events"]
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("(_run)")]


def test_tasks_of_other_nodes_are_looked_for_though_nothing_tells_of_them(manager):
    with News([partial(manager.events, type=["service"])], manager.cut, tells_all=False) as news:
        begun = time.monotonic()
        news.wait(20)
        assert time.monotonic() - begun < 15
