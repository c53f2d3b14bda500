"""The engine's picture of the world: later looks win, and changes are told once."""

from __future__ import annotations

from orchestra.engine.view import View
from orchestra.model.event import ContainerEvent, HealthEvent
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Exited, Image, Network, Observed, Running
from orchestra.model.resource import ResourceId
from orchestra.record import replace
from tests.plan.stacks import changed, service, stack
from tests.plan.test_preview import world_after

WORLD = world_after(stack(service("db"), service("web")))


def view_of(world=WORLD):
    events = []
    view = View("s", events.append, lambda: 500.0)
    view.merge(world, view.mark(), (), images=True)
    return view, events


def changes(events):
    return [(event.change, event.container) for event in events if isinstance(event, ContainerEvent)]


def test_the_first_full_look_is_no_news():
    view, events = view_of()
    assert view.observed.containers == WORLD.containers
    assert events == []


def test_a_look_at_one_container_before_that_is_no_news_either():
    events = []
    view = View("s", events.append, lambda: 500.0)
    mark = view.mark()
    view.put_container("s-web-1", WORLD.containers["s-web-1"])
    view.merge(WORLD, mark, (), images=True)
    assert view.observed.containers == WORLD.containers
    assert events == []


def test_a_full_look_does_not_undo_what_was_learned_while_it_was_made():
    view, events = view_of()
    mark = view.mark()
    started = {name: container.status.started_at for name, container in WORLD.containers.items()}
    ended = replace(WORLD.containers["s-web-1"], status=Exited(1, started["s-web-1"], 400.0))
    view.put_container("s-web-1", ended)
    view.merge(changed(WORLD, "s-db-1", status=Exited(2, started["s-db-1"], 400.0)), mark, (), images=False)
    assert view.observed.containers["s-web-1"] == ended
    assert changes(events) == [("exited", "s-web-1"), ("exited", "s-db-1")]
    view.merge(WORLD, view.mark(), (), images=False)
    assert view.observed.containers == WORLD.containers


def test_a_look_for_one_resource_updates_only_that():
    view, _ = view_of()
    seen = replace(WORLD, networks={}, images={"app": Image("app", "sha256:new")}, containers={})
    view.put_image(Image("app", "sha256:old", pulled_at=300.0))
    view.put_seen(ResourceId.image("app"), seen)
    assert view.observed.images["app"] == Image("app", "sha256:new", pulled_at=300.0)
    assert set(view.observed.networks) == {"s_default"}
    view.put_seen(ResourceId.network("s_default"), seen)
    assert view.observed.networks == {}
    assert set(view.observed.containers) == {"s-db-1", "s-web-1"}


def test_a_full_look_leaves_resources_with_an_action_under_way_to_it():
    view, _ = view_of()
    view.merge(replace(WORLD, containers={}, networks={}), view.mark(), (ResourceId.container("s-db-1"),), images=False)
    assert set(view.observed.containers) == {"s-db-1"}
    assert view.observed.networks == {}


def test_images_are_compared_only_on_request():
    view, _ = view_of()
    view.put_image(Image("app", "sha256:app", pulled_at=300.0))
    moved = replace(WORLD, images={"app": Image("app", "sha256:moved")})
    view.merge(moved, view.mark(), (), images=False)
    assert view.observed.images["app"].digest == "sha256:app"
    view.merge(moved, view.mark(), (), images=True)
    assert view.observed.images["app"] == Image("app", "sha256:moved", pulled_at=300.0)


def test_health_belongs_to_a_run_and_the_later_check_wins():
    view, events = view_of()
    started_at = WORLD.containers["s-web-1"].status.started_at
    healthy = Health(HealthStatus.HEALTHY, 0, 450.0)
    view.put_health("s-web-1", started_at, healthy)
    view.put_health("s-web-1", started_at - 1.0, Health(HealthStatus.UNHEALTHY, 3, 460.0))
    view.merge(WORLD, view.mark(), (), images=False)
    assert view.observed.containers["s-web-1"].status.health == healthy
    assert [event.health for event in events if isinstance(event, HealthEvent)] == [healthy]
    ended = changed(WORLD, "s-web-1", status=Exited(1, started_at, 470.0))
    view.merge(ended, view.mark(), (), images=False)
    assert isinstance(view.observed.containers["s-web-1"].status, Exited)


def test_health_is_news_when_its_status_changes():
    view, events = view_of()
    started_at = WORLD.containers["s-web-1"].status.started_at
    for streak in (3, 4, 5):
        view.put_health("s-web-1", started_at, Health(HealthStatus.UNHEALTHY, streak, 450.0 + streak))
    assert view.observed.containers["s-web-1"].status.health.failing_streak == 5
    assert [event.health.failing_streak for event in events if isinstance(event, HealthEvent)] == [3]


def test_what_must_have_happened_between_two_looks_is_told_in_order():
    view, events = view_of()
    web = WORLD.containers["s-web-1"]
    view.put_container("s-web-1", replace(web, id="new", status=Exited(0, 480.0, 490.0)))
    assert changes(events) == [
        ("removed", "s-web-1"),
        ("created", "s-web-1"),
        ("started", "s-web-1"),
        ("exited", "s-web-1"),
    ]
    view.put_container("s-web-1", replace(web, id="new", status=Running(2, 495.0)))
    view.put_container("s-web-1", replace(web, id="new", status=Running(2, 495.0)))
    assert changes(events)[4:] == [("started", "s-web-1")]
    view.put_container("s-web-1", None)
    assert changes(events)[5:] == [("removed", "s-web-1")]


def test_a_network_seen_by_others_is_taken_over():
    view, _ = view_of()
    view.merge(replace(WORLD, networks={"n": Network("n")}), view.mark(), (), images=False)
    assert set(view.observed.networks) == {"n"}
    assert Observed("s").networks == {}
