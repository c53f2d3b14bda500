"""What is planned for small worlds, as text: a specification by example. Rounds are what may be done at once."""

from __future__ import annotations

import json
from textwrap import dedent

from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Created, Exited, Healthcheck, Image, Network, Observed, Running, Volume
from orchestra.model.sharing import OfService
from orchestra.model.wish import Goal, Recreate
from orchestra.plan.action import RemoveContainer
from orchestra.plan.dependency import failed_options
from orchestra.plan.preview import preview, render_data, render_text
from orchestra.plan.situation import Situation
from orchestra.record import replace
from tests.plan.stacks import asked, changed, going_down, service, stack, wished


def planned(desired, observed=None, now=None) -> str:
    now = desired.request.at if now is None else now
    return render_text(preview(desired, observed or Observed(desired.stack), now))


def world_after(desired) -> Observed:
    return preview(desired, Observed(desired.stack), desired.request.at).observed


def lines(text: str) -> str:
    return dedent(text).lstrip("\n")


def test_one_service_from_nothing():
    assert planned(stack(service("web"))) == lines("""
        1.  pull   image/app          not ready on this machine
            create network/s_default  does not exist
        2.  create container/s-web-1  does not exist
        3.  start  container/s-web-1  created
        """)


def test_each_condition_of_depends_on_waits_for_its_own_thing():
    desired = stack(
        service("db", healthy=True, volumes=["data"]),
        service("migrate", "db:healthy"),
        service("web", "migrate:completed db", replicas=2),
    )
    assert planned(desired) == lines("""
        1.  pull   image/app              not ready on this machine
            create volume/s_data          does not exist
            create network/s_default      does not exist
        2.  create container/s-db-1       does not exist
            create container/s-migrate-1  does not exist
            create container/s-web-1      does not exist
            create container/s-web-2      does not exist
        3.  start  container/s-db-1       created
        4.  start  container/s-migrate-1  created; db is healthy
        5.  start  container/s-web-1      created; migrate has completed, db has started
            start  container/s-web-2      created; migrate has completed, db has started
        """)


def test_what_is_up_needs_nothing():
    desired = stack(service("db", healthy=True), service("web", "db:healthy"))
    assert planned(asked(desired, at=200.0), world_after(desired)) == "nothing to do\n"


def test_a_completed_one_shot_runs_again_when_asked_again():
    desired = stack(service("migrate"), service("web", "migrate:completed"))
    assert planned(asked(desired, at=200.0), world_after(desired)) == lines("""
        1.  start  container/s-migrate-1  ended before it was asked for
        """)


def test_nothing_is_thought_to_happen_before_it_is_asked_for():
    desired = stack(service("migrate"), service("web", "migrate:completed"))
    assert planned(asked(desired, at=200.0), world_after(desired), now=199.99) == lines("""
        1.  start  container/s-migrate-1  ended before it was asked for
        """)


def test_between_commands_what_ended_stays_ended():
    desired = stack(service("job"))
    world = changed(world_after(desired), "s-job-1", status=Exited(1, 101.0, 102.0))
    assert planned(desired, world, now=500.0) == "nothing to do\n"


def test_a_container_that_was_being_stopped_when_it_was_asked_for_runs_again():
    desired = stack(service("web"))
    world = changed(world_after(desired), "s-web-1", status=Exited(143, 101.0, 102.0, stopped=True))
    assert planned(desired, world, now=500.0) == lines("""
        1.  start  container/s-web-1  was stopped
        """)


def test_a_changed_definition_replaces_exactly_that_container():
    before = stack(service("db"), service("web", "db"))
    after = stack(service("db"), service("web", "db", config_hash="web v2"), at=200.0)
    assert planned(after, world_after(before)) == lines("""
        1.  stop   container/s-web-1  to be replaced: its definition changed
        2.  remove container/s-web-1  to be replaced: its definition changed
        3.  create container/s-web-1  does not exist
        4.  start  container/s-web-1  created; db has started
        """)


def test_replacements_go_in_the_order_of_dependencies_so_that_each_gap_is_short():
    before = stack(service("db", healthy=True), service("web", "db:healthy"))
    after = stack(
        service("db", healthy=True, config_hash="db v2"), service("web", "db:healthy", config_hash="web v2"), at=200.0
    )
    assert planned(after, world_after(before)) == lines("""
        1.  stop   container/s-db-1   to be replaced: its definition changed
        2.  remove container/s-db-1   to be replaced: its definition changed
        3.  create container/s-db-1   does not exist
        4.  start  container/s-db-1   created
        5.  stop   container/s-web-1  to be replaced: its definition changed
        6.  remove container/s-web-1  to be replaced: its definition changed
        7.  create container/s-web-1  does not exist
        8.  start  container/s-web-1  created; db is healthy
        """)


def test_a_dependent_with_restart_is_stopped_before_and_started_after_a_replacement():
    before = stack(service("db"), service("web", "db!"), service("idle", "db"))
    after = stack(service("db", config_hash="db v2"), service("web", "db!"), service("idle", "db"), at=200.0)
    assert planned(after, world_after(before)) == lines("""
        1.  stop   container/s-web-1  s-db-1 is about to be replaced
        2.  stop   container/s-db-1   to be replaced: its definition changed
        3.  remove container/s-db-1   to be replaced: its definition changed
        4.  create container/s-db-1   does not exist
        5.  start  container/s-db-1   created
        6.  start  container/s-web-1  s-db-1 was replaced; db has started
        """)


def test_a_new_replica_of_a_dependency_restarts_no_dependent():
    before = stack(service("db"), service("web", "db!"))
    after = stack(service("db", replicas=2), service("web", "db!"), at=200.0)
    assert planned(after, world_after(before)) == lines("""
        1.  create container/s-db-2  does not exist
        2.  start  container/s-db-2  created
        """)


def test_a_container_that_shares_a_namespace_is_replaced_with_its_owner():
    side = service("side", "web!", network_mode=OfService("web"), networks=())
    before = stack(service("web"), side)
    after = stack(service("web", config_hash="web v2"), side, at=200.0)
    assert planned(after, world_after(before)) == lines("""
        1.  stop   container/s-side-1  s-web-1 is about to be replaced
        2.  stop   container/s-web-1   to be replaced: its definition changed
        3.  remove container/s-web-1   to be replaced: its definition changed
        4.  create container/s-web-1   does not exist
        5.  start  container/s-web-1   created
            remove container/s-side-1  to be replaced: it shares a namespace with s-web-1, which was replaced
        6.  create container/s-side-1  does not exist
        7.  start  container/s-side-1  created; web has started
        """)


def test_an_image_that_changed_replaces_its_containers():
    desired = stack(service("web"), service("db", image="postgres"))
    world = preview(desired, Observed("s", images={"app": Image("app", "sha256:old")}), 100.0).observed
    world = replace(world, images={**world.images, "app": Image("app", "sha256:new")})
    assert planned(asked(desired, at=200.0), world) == lines("""
        1.  stop   container/s-web-1  to be replaced: image app changed
        2.  remove container/s-web-1  to be replaced: image app changed
        3.  create container/s-web-1  does not exist
        4.  start  container/s-web-1  created
        """)


def test_a_container_is_not_stopped_for_an_image_that_is_not_there_yet():
    before = stack(service("web"))
    after = stack(service("web", image="app:2", config_hash="web v2"), at=200.0)
    assert planned(after, world_after(before)) == lines("""
        1.  pull   image/app:2        not ready on this machine
        2.  stop   container/s-web-1  to be replaced: its definition changed
        3.  remove container/s-web-1  to be replaced: its definition changed
        4.  create container/s-web-1  does not exist
        5.  start  container/s-web-1  created
        """)


def test_forced_recreation_happens_once():
    desired = stack(service("web"), service("db"))
    forced = wished(asked(desired, at=200.0), "web", recreate=Recreate.ALWAYS)
    assert planned(forced, world_after(desired)) == lines("""
        1.  stop   container/s-web-1  to be replaced: asked to be recreated
        2.  remove container/s-web-1  to be replaced: asked to be recreated
        3.  create container/s-web-1  does not exist
        4.  start  container/s-web-1  created
        """)
    after = preview(forced, world_after(desired), 200.0).observed
    assert planned(forced, after, now=300.0) == "nothing to do\n"


def test_scaling_down_removes_the_highest_replicas_first():
    before = stack(service("web", replicas=3))
    after = stack(service("web", replicas=1), at=200.0)
    assert planned(after, world_after(before)) == lines("""
        1.  stop   container/s-web-3  web is scaled to 1
            stop   container/s-web-2  web is scaled to 1
        2.  remove container/s-web-3  web is scaled to 1
            remove container/s-web-2  web is scaled to 1
        """)


def test_down_stops_in_reverse_and_keeps_volumes():
    desired = stack(service("db", volumes=["data"]), service("cache"), service("web", "db cache"))
    assert planned(going_down(desired), world_after(desired)) == lines("""
        1.  stop   container/s-web-1    the stack goes down
        2.  stop   container/s-cache-1  the stack goes down
            stop   container/s-db-1     the stack goes down
            remove container/s-web-1    the stack goes down
        3.  remove container/s-cache-1  the stack goes down
            remove container/s-db-1     the stack goes down
        4.  remove network/s_default    the stack goes down
        """)


def test_down_with_volumes_removes_the_stacks_own_only():
    desired = stack(service("db", volumes=["data"]))
    world = world_after(desired)
    theirs = {"archive": Volume("archive", external=True)}
    shared = {"shared": Network("shared", external=True)}
    world = replace(world, volumes={**world.volumes, **theirs}, networks={**world.networks, **shared})
    assert planned(going_down(desired, remove_volumes=True), world) == lines("""
        1.  stop   container/s-db-1   the stack goes down
        2.  remove container/s-db-1   the stack goes down
        3.  remove network/s_default  the stack goes down
            remove volume/s_data      asked to be removed with the stack
        """)


def test_an_orphan_is_left_alone_and_so_is_the_network_it_uses():
    desired = stack(service("old"), service("web"))
    declared = stack(service("web"), at=200.0)
    world = world_after(desired)
    assert planned(declared, world) == "nothing to do\n"
    assert planned(going_down(declared), world) == lines("""
        1.  stop   container/s-web-1  the stack goes down
        2.  remove container/s-web-1  the stack goes down
        blocked  network/s_default  in use by s-old-1
        """)
    assert planned(asked(declared, at=300.0, remove_orphans=True), world) == lines("""
        1.  stop   container/s-old-1  no service declares it
        2.  remove container/s-old-1  no service declares it
        """)


def test_a_network_no_longer_declared_goes_with_the_orphans_only():
    before = stack(service("web", networks=("front", "back")))
    after = stack(service("web", networks=("front",), config_hash="web v2"), at=200.0)
    kept = preview(after, world_after(before), 200.0).observed
    assert set(kept.networks) == {"s_front", "s_back"}
    assert planned(asked(after, at=300.0, remove_orphans=True), kept) == lines("""
        1.  remove network/s_back  no longer declared
        """)


def test_a_changed_network_is_recreated_with_all_its_containers():
    desired = stack(service("db"), service("web", "db"))
    world = world_after(desired)
    new = replace(asked(desired, at=200.0), networks=(replace(desired.networks[0], config_hash="net v2"),))
    assert planned(new, world) == lines("""
        1.  stop   container/s-web-1  the definition of network s_default changed
        2.  stop   container/s-db-1   the definition of network s_default changed
            remove container/s-web-1  the definition of network s_default changed
        3.  remove container/s-db-1   the definition of network s_default changed
        4.  remove network/s_default  its definition changed
        5.  create network/s_default  does not exist
        6.  create container/s-db-1   does not exist
            create container/s-web-1  does not exist
        7.  start  container/s-db-1   created
        8.  start  container/s-web-1  created; db has started
        """)


def test_only_what_was_there_before_a_command_holds_a_network_back_by_not_being_recreated():
    """What the command itself made on it, while images of others were pulled, has the outcome depend on nothing."""
    desired = stack(service("db"), service("web"))
    new = replace(asked(desired, at=200.0), networks=(replace(desired.networks[0], config_hash="net v2"),))
    new = wished(new, "db", recreate=Recreate.NEVER)
    world = world_after(desired)
    assert planned(new, world) == "nothing to do\n"
    assert "create network/s_default" in planned(new, changed(world, "s-db-1", created_at=200.5))


def test_nothing_is_stopped_for_a_changed_network_that_an_orphan_holds():
    world = world_after(stack(service("old"), service("web")))
    declared = stack(service("web"), at=200.0)
    new = replace(declared, networks=(replace(declared.networks[0], config_hash="net v2"),))
    assert planned(new, world) == lines("""
        nothing to do
        failed   network/s_default  its definition changed, but s-old-1, which no service declares, still uses it
        """)


def test_missing_external_resources_fail_before_their_containers_are_made():
    desired = stack(service("web", volumes=["archive"]))
    desired = replace(
        desired,
        networks=(replace(desired.networks[0], external=True),),
        volumes=(replace(desired.volumes[0], external=True),),
    )
    assert planned(desired) == lines("""
        1.  pull   image/app  not ready on this machine
        blocked  container/s-web-1  waits for network/s_default, volume/s_archive
        failed   volume/s_archive  external volume "s_archive" not found
        failed   network/s_default  network s_default declared as external, but could not be found
        """)


def test_an_image_may_bring_the_healthcheck_that_a_dependent_awaits():
    desired = stack(service("db"), service("web", "db:healthy"))
    started = lines("""
        3.  start  container/s-db-1   created
        4.  start  container/s-web-1  created; db is healthy
        """)
    assert planned(desired).endswith(started), "nobody knows yet what is in the image"
    brought = Image("app", "sha256:1", healthcheck=Healthcheck(("check",)))
    assert planned(desired, Observed("s", images={"app": brought})).endswith(
        lines("""
        3.  start  container/s-db-1   created
        4.  start  container/s-web-1  created; db is healthy
        """)
    )
    disabled = stack(service("db", healthcheck_disabled=True), service("web", "db:healthy"))
    assert "has no healthcheck configured" in planned(disabled)


def test_a_dependency_without_a_healthcheck_cannot_be_waited_for():
    desired = stack(service("db"), service("web", "db:healthy"), service("shop", "web"))
    there = Observed("s", images={"app": Image("app", "sha256:1")})
    assert planned(desired, there).endswith(
        lines("""
        3.  start  container/s-db-1    created
        blocked  container/s-shop-1  waits for s-web-1, which cannot be started
        failed   container/s-web-1  dependency failed to start: container s-db-1 has no healthcheck configured
        """)
    )


def test_an_unhealthy_dependency_fails_what_needs_it_and_a_recovered_one_does_not():
    desired = stack(service("db", healthy=True), service("web", "db:healthy"))
    world = changed(world_after(desired), "s-web-1", status=Created())
    ill = changed(world, "s-db-1", status=Running(1, 100.0, Health(HealthStatus.UNHEALTHY, 3)))
    assert planned(desired, ill) == lines("""
        nothing to do
        failed   container/s-web-1  dependency failed to start: container s-db-1 is unhealthy
        """)
    assert "start  container/s-web-1" in planned(desired, world)


def test_a_failed_one_shot_fails_what_needs_it():
    desired = stack(service("migrate"), service("web", "migrate:completed"))
    world = changed(world_after(desired), "s-web-1", status=Created())
    world = changed(world, "s-migrate-1", status=Exited(3, 101.0, 102.0))
    assert planned(desired, world) == lines("""
        nothing to do
        failed   container/s-web-1  service "migrate" didn't complete successfully: exit 3
        """)


def test_a_dependency_that_is_not_required_may_fail():
    desired = stack(service("db", healthy=True), service("web", "db:healthy?"))
    world = changed(world_after(desired), "s-web-1", status=Created())
    world = changed(world, "s-db-1", status=Exited(1, 101.0, 102.0))
    assert planned(desired, world) == lines("""
        1.  start  container/s-web-1  created; db failed but is not required
        """)
    assert failed_options(Situation(desired, world, {}, 200.0)) == (
        'optional dependency "db" failed to start: container s-db-1 exited (1)',
    )


def test_the_other_containers_of_a_dependency_that_may_fail_are_waited_for():
    desired = stack(service("db", replicas=2, healthy=True), service("web", "db:healthy?"))
    world = changed(world_after(desired), "s-web-1", status=Created())
    world = changed(world, "s-db-1", status=Exited(1, 101.0, 102.0))
    world = changed(world, "s-db-2", status=Created())
    assert planned(desired, world) == lines("""
        1.  start  container/s-db-2   created
        2.  start  container/s-web-1  created; db failed but is not required
        """)


def test_a_dependency_scaled_to_nothing_is_not_waited_for():
    assert planned(stack(service("db", replicas=0), service("web", "db:healthy"))).endswith(
        "3.  start  container/s-web-1  created\n"
    )


def test_stopping_keeps_the_containers():
    desired = stack(service("db", restart="always"), service("web", "db", restart="always"))
    stopped = wished(asked(desired, at=200.0), "db", "web", goal=Goal.STOP)
    assert planned(stopped, world_after(desired)) == lines("""
        1.  stop   container/s-web-1  asked to be stopped
        2.  stop   container/s-db-1   asked to be stopped
        """)
    after = preview(stopped, world_after(desired), 200.0).observed
    assert planned(asked(desired, at=300.0), after) == lines("""
        1.  start  container/s-db-1   was stopped
        2.  start  container/s-web-1  was stopped; db has started
        """)


def test_pull_policies():
    desired = stack(service("web"))
    for policy, text in {
        "missing": "nothing to do\n",
        "never": "nothing to do\n",
        "always": "1.  pull   image/app  pull_policy is always\n",
    }.items():
        images = tuple(replace(image, pull_policy=policy) for image in desired.images)
        assert planned(replace(asked(desired, at=200.0), images=images), world_after(desired)) == text


def test_the_data_form_says_the_same():
    desired = stack(service("web"))
    data = json.loads(json.dumps(render_data(preview(desired, Observed("s"), 100.0))))
    assert [[action["resource"] for action in actions] for actions in data["rounds"]] == [
        ["image/app", "network/s_default"],
        ["container/s-web-1"],
        ["container/s-web-1"],
    ]
    assert data["rounds"][0][0] == {"verb": "pull", "resource": "image/app", "reason": "not ready on this machine"}
    assert render_data(preview(desired, world_after(desired), 200.0)) == {"rounds": [], "blocked": [], "failed": []}
    assert not preview(desired, world_after(desired), 200.0).changes


def fates(desired, world):
    """What becomes of anonymous volumes, by container."""
    actions = [action for step in preview(desired, world, desired.request.at).rounds for action in step]
    return {str(action.name): str(action.volumes) for action in actions if isinstance(action, RemoveContainer)}


def test_anonymous_volumes_are_handed_on_unless_new_ones_are_asked_for():
    before = stack(service("db"), service("web", replicas=2))
    world = world_after(before)
    after = stack(service("db", config_hash="v2"), service("web", config_hash="v2"), at=200.0)
    assert fates(after, world) == {"s-db-1": "hand on", "s-web-1": "hand on", "s-web-2": "leave"}
    renewed = wished(asked(after, at=200.0), "db", renew_volumes=True)
    assert fates(renewed, world) == {"s-db-1": "delete", "s-web-1": "hand on", "s-web-2": "leave"}
    assert fates(wished(asked(before, at=200.0), "db", renew_volumes=True), world) == {}, "nothing is replaced for it"
    assert set(fates(going_down(before), world).values()) == {"leave"}
    assert set(fates(going_down(before, remove_volumes=True), world).values()) == {"delete"}


def test_what_a_restart_policy_does_is_not_what_a_command_would_do():
    desired = stack(service("web", restart="always"), service("db"))
    world = changed(world_after(desired), "s-web-1", status=Exited(1, 101.0, 102.0))
    assert planned(desired, world, now=500.0) == "nothing to do\n"
    more = stack(service("web", restart="always"), service("db", replicas=2))
    assert "start  container/s-db-2" in planned(more, world, now=500.0)
