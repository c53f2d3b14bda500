"""Networks of containers that stay: what is connected, disconnected, and left as a command or a person made it."""

from __future__ import annotations

from orchestra.model.container import Endpoint
from orchestra.model.observed import BY_HAND, Exited, Network, Running, Verb
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Recreate
from orchestra.plan.action import ConnectContainer, CreateNetwork, DisconnectContainer, RemoveNetwork
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict
from orchestra.record import replace
from tests.plan.stacks import asked, changed, service, stack, wished
from tests.plan.test_preview import lines, planned, world_after

FRONT = stack(service("web", networks=("front",)), service("db", networks=("back",)))
BOTH = asked(stack(service("web", networks=("front", "back")), service("db", networks=("back",))), at=200.0)
BACK = asked(stack(service("web", networks=("back",)), service("db", networks=("back",))), at=200.0)
WEB = "s-web-1"


def connected(desired, *networks: str, name: str = WEB, by_hand: bool = False):
    """The world of a stack after its container was connected to further networks."""
    world = world_after(desired)
    for network in networks:
        endpoint = Endpoint(network, config_hash=BY_HAND if by_hand else "v1")
        world = replace(world, networks={**world.networks, network: Network(network)})
        world = predict(world, ConnectContainer(name, endpoint, ""), 150.0)
    return world


def ready(desired, world, in_flight=None, now=201.0):
    return plan(desired, world, in_flight or {}, now).ready


def test_a_network_more_or_less_replaces_nothing():
    assert planned(BOTH, world_after(FRONT)) == lines("""
        1.  connect container/s-web-1  to network s_back
        """)
    assert planned(BACK, world_after(FRONT)) == lines("""
        1.  connect    container/s-web-1  to network s_back
        2.  disconnect container/s-web-1  from network s_front, which the file does not name
        """)


def test_a_network_that_is_not_used_any_more_is_removed_when_it_is_left():
    desired = replace(BACK, request=replace(BACK.request, remove_orphans=True))
    assert planned(desired, world_after(FRONT)).endswith("3.  remove     network/s_front    no longer declared\n")


def test_a_new_network_is_made_before_it_is_connected_to():
    desired = asked(stack(service("web", networks=("new",)), service("db", networks=("back",))), at=200.0)
    assert planned(desired, world_after(FRONT)) == lines("""
        1.  create     network/s_new      does not exist
            disconnect container/s-web-1  from network s_front, which the file does not name
        2.  connect    container/s-web-1  to network s_new
        """)


def test_a_changed_endpoint_is_connected_again():
    endpoint = Endpoint("s_front", aliases=("shop",), config_hash="v2")
    web, db = FRONT.containers
    web, db = (web, db) if web.name == WEB else (db, web)
    desired = asked(replace(FRONT, containers=(replace(web, endpoints=(endpoint,)), db)), at=200.0)
    (action,) = ready(desired, world_after(FRONT))
    assert action == ConnectContainer(WEB, endpoint, "its part in network s_front changed")


def test_a_container_that_has_ended_is_connected_before_it_starts():
    world = changed(world_after(FRONT), WEB, status=Exited(0, 1.0, 2.0, stopped=True))
    assert [action.verb for action in ready(BOTH, world)] == [Verb.CONNECT]


def test_a_network_that_is_about_to_be_removed_is_not_connected_to():
    remove = RemoveNetwork("s_back", "")
    verdict = plan(BOTH, world_after(FRONT), {remove.resource: remove}, 201.0)
    assert [blocked.reason for blocked in verdict.blocked] == ["waits for network/s_back, to be connected to"]
    assert verdict.ready == ()


def test_a_network_is_not_removed_while_a_container_is_being_connected():
    going = asked(stack(service("web", networks=("front",))), at=200.0, remove_orphans=True)
    world = replace(world_after(BOTH), containers={WEB: world_after(FRONT).containers[WEB]})
    action = ConnectContainer(WEB, Endpoint("s_back"), "")
    assert not any(isinstance(step, RemoveNetwork) for step in ready(going, world, {action.resource: action}))


def test_what_was_connected_by_hand_stays():
    world = connected(FRONT, "elsewhere", by_hand=True)
    assert ready(asked(FRONT, at=200.0), world) == ()
    assert world.containers[WEB].networks == ("s_front", "elsewhere")


def test_what_was_connected_by_hand_follows_the_file_once_it_is_named_there():
    (action,) = ready(BOTH, connected(FRONT, "s_back", by_hand=True))
    assert isinstance(action, ConnectContainer)


def test_what_was_disconnected_by_hand_stays_so_until_the_next_command():
    world = predict(world_after(BOTH), DisconnectContainer(WEB, "s_back", ""), 250.0)
    world = changed(world, WEB, left={"s_back": 250.0})
    assert ready(BOTH, world, now=260.0) == ()
    (action,) = ready(asked(BOTH, at=300.0), world, now=301.0)
    assert isinstance(action, ConnectContainer)
    assert predict(world, action, 302.0).containers[WEB].left == {}


def test_an_interrupted_connection_is_completed_or_taken_back():
    world = changed(world_after(BOTH), WEB, endpoints={"s_front": "", "s_back": "half"})
    assert [action.verb for action in ready(BOTH, world)] == [Verb.CONNECT]
    assert [action.verb for action in ready(asked(FRONT, at=200.0), world)] == [Verb.DISCONNECT]


def test_containers_that_are_kept_keep_their_networks():
    assert ready(wished(BOTH, "web", recreate=Recreate.NEVER), world_after(FRONT)) == ()


def test_a_container_that_leaves_a_changed_network_is_not_removed_for_it():
    networks = tuple(replace(spec, config_hash="net v2") for spec in FRONT.networks if spec.name == "s_front")
    desired = replace(BACK, networks=(*BACK.networks, *networks))
    text = planned(desired, world_after(FRONT))
    assert "remove     network/s_front    its definition changed" in text
    assert "remove     container" not in text
    assert "stop" not in text


def test_a_network_that_only_a_person_uses_is_restored():
    world = connected(FRONT, "elsewhere", by_hand=True)
    lost = Network("elsewhere", external=True, loss="its bridge was turned off")
    world = replace(world, networks={**world.networks, "elsewhere": lost})
    (action,) = ready(asked(FRONT, at=200.0), world)
    assert isinstance(action, CreateNetwork)
    assert action.spec.external
    assert predict(world, action, 202.0).networks["elsewhere"] == Network("elsewhere", external=True)
    assert ready(asked(FRONT, at=200.0), world, {action.resource: action}) == ()


def test_an_up_waits_until_containers_are_connected():
    from orchestra.plan.done import judge_up

    world = world_after(FRONT)
    assert isinstance(world.containers[WEB].status, Running)
    verdict = plan(BOTH, world, {}, 201.0)
    assert judge_up(BOTH, world, verdict, {}, 201.0).starting
    (action,) = verdict.ready
    flying = {ResourceId.container(WEB): action}
    assert judge_up(BOTH, world, plan(BOTH, world, flying, 201.0), flying, 201.0).starting
    done = predict(world, action, 202.0)
    assert not judge_up(BOTH, done, plan(BOTH, done, {}, 202.0), {}, 202.0).starting


def test_an_init_container_gives_up_a_network_with_its_service():
    def with_init(*networks: str, at: float):
        desired = stack(service("web", networks=networks), at=at, remove_orphans=at > 100.0)
        (web,) = desired.containers
        init = replace(web, name="s-web-pre_start-0", index=0, initializes=web.name)
        return replace(desired, containers=(replace(web, pre_start=(init,)),))

    text = planned(with_init("back", at=200.0), world_after(with_init("front", at=100.0)))
    assert "disconnect container/s-web-pre_start-0" in text
    assert text.endswith("remove     network/s_front              no longer declared\n")
