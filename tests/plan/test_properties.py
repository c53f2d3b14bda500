"""What holds of every plan for every world: stacks are generated, worlds are left in any state a crash could leave."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.model.container import Condition
from orchestra.model.desired import Desired, Request
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Created, Exited, Failure, Network, Observed, Running, Verb, Volume
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal, Recreate, Wish
from orchestra.plan.action import RemoveContainer, RemoveNetwork, RemoveVolume, RunHooks, StartContainer, StopContainer
from orchestra.plan.plan import plan
from orchestra.plan.predict import predict
from orchestra.plan.preview import TICK, assume_the_best, preview
from orchestra.plan.situation import GIVE_UP
from orchestra.record import replace
from tests.plan.stacks import wished, with_run
from tests.simulation.generate import EXTERNAL_NETWORK, EXTERNAL_VOLUME, STACK, desired_of, generate_services

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]
randoms = st.randoms(use_true_random=True)
thorough = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

NOW = 1000.0


def some_desired(random) -> Desired:
    services, _ = generate_services(random, well_behaved=random.random() < 0.5, updates=False)
    names = [service.name for service in services]
    request = Request(
        at=NOW,
        remove_orphans=random.random() < 0.3,
        remove_volumes=random.random() < 0.3,
    )
    if random.random() < 0.25:
        return Desired(STACK, services=tuple(names), request=request)
    policy = random.choice(["missing", "always"])
    wishes = {name: some_wish(random) for name in names if random.random() < 0.5}
    desired = replace(desired_of(services, request, random.choice([1, 2]), policy), wishes=wishes)
    for service in [spec.service for spec in desired.containers if spec.index == 1 and random.random() < 0.1]:
        desired = with_run(desired, service, at=NOW, **some_flags(random, "started", "alone", "remove_when_ended"))
    return desired


def some_flags(random, *names) -> dict[str, bool]:
    return {name: random.random() < 0.3 for name in names}


def some_wish(random) -> Wish:
    kinds = [Recreate.CHANGED, Recreate.CHANGED, Recreate.ALWAYS, Recreate.NEVER]
    goals = [Goal.RUN, Goal.RUN, Goal.RUN, Goal.RUN, Goal.CREATE, Goal.LEAVE, Goal.STOP]
    alone, restart = random.random() < 0.2, random.random() < 0.2
    return Wish(NOW, random.choice(goals), random.choice(kinds), alone=alone, restart=restart)


def some_world(random, desired: Desired) -> Observed:
    """What an earlier, perhaps different definition of the stack left behind, in any condition."""
    services, _ = generate_services(random, well_behaved=False, updates=False)
    basis = (
        replace(desired, request=Request(at=1.0), wishes={}) if desired.containers and random.random() < 0.6 else None
    )
    earlier = basis or desired_of(services, Request(at=1.0))
    start = Observed(
        STACK,
        networks={EXTERNAL_NETWORK: Network(EXTERNAL_NETWORK, external=True)},
        volumes={EXTERNAL_VOLUME: Volume(EXTERNAL_VOLUME, external=True)},
    )
    if random.random() < 0.15:
        return start
    world = preview(earlier, start, 1.0).observed
    containers = {}
    for name, container in world.containers.items():
        if random.random() < 0.8:
            age = random.choice(["", " old"])
            containers[name] = replace(
                container,
                config_hash=container.config_hash + age,
                status=some_status(random),
                backoff=random.randint(0, 3),
            )
    used = {network for container in containers.values() for network in container.networks}
    failures = {}
    if random.random() < 0.3:
        resource = random.choice(
            [ResourceId.container(name) for name in containers]
            + [ResourceId.image("app"), ResourceId.network(f"{STACK}_x")]
        )
        verb, times = random.choice(list(Verb)), random.choice([2, GIVE_UP])
        failures[resource] = Failure(
            resource, verb, "bad luck", random.random() < 0.7, times, random.choice([1.0, NOW])
        )
    return replace(
        world,
        containers=containers,
        networks={n: v for n, v in world.networks.items() if n in used or v.external or random.random() < 0.7},
        images={n: v for n, v in world.images.items() if random.random() < 0.8},
        failures=failures,
    )


def some_status(random):
    started = random.choice([10.0, 500.0])
    match random.randint(0, 3):
        case 0:
            return Created()
        case 1:
            code = random.choice([0, 1, None])
            return Exited(code, started, started + random.choice([1.0, 20.0, 900.0]), stopped=random.random() < 0.2)
        case _:
            return Running(1, started, Health(random.choice(list(HealthStatus))))


def assert_allowed(action, desired: Desired, world: Observed, flying) -> None:
    """The promises that no single action may break, in the world it is decided in."""
    request = desired.request
    going_down = not desired.containers and not desired.networks
    match action:
        case StartContainer(name=name):
            inits = {init.name: init for each in desired.of_services for init in each.pre_start}
            spec = desired.container(name) or inits.get(name)
            assert spec is not None
            if isinstance(world.containers[name].status, Created):
                assert all(world.containers[init.name].status.succeeded for init in spec.pre_start)
            wish = desired.wish(spec.service)
            if spec.one_off is not None:
                assert not spec.one_off.started
                assert isinstance(world.containers[name].status, Created)
                wish = Wish(alone=spec.one_off.alone)
            assert not wish.rests
            assert wish.goal is Goal.RUN or action.restarts, "asked to be created only"
            for dependency in spec.depends_on if not wish.alone else ():
                needed = desired.wish(dependency.service)
                looked_at = action.restarts or not wish.restart or needed.restart
                for replica in desired.replicas(dependency.service):
                    if dependency.required and needed.goal is Goal.RUN and looked_at:
                        assert_holds(dependency.condition, world.containers[replica.name].status)
                        held = world.containers[replica.name]
                        left = isinstance(held.status, Running) and held.hooks_left
                        assert action.restarts or not left, "a dependency has hooks left"
        case RunHooks(name=name, hooks=hooks, done=done):
            assert isinstance(world.containers[name].status, Running)
            assert hooks[done:] == world.containers[name].hooks_left != ()
        case StopContainer(name=name) | RemoveContainer(name=name):
            container = world.containers[name]
            if container.one_off and not going_down and desired.container(name) is not None:
                assert isinstance(action, RemoveContainer), "a command was stopped"
                assert isinstance(container.status, Exited)
                assert desired.container(name).one_off.started
            assert container.service in desired.services or request.remove_orphans or container.one_off
            if isinstance(action, RemoveContainer):
                assert not isinstance(container.status, Running)
                spec = desired.container(name)
                if spec is not None and spec.one_off is None and container.created_at < NOW:
                    assert desired.wish(spec.service).recreate is not Recreate.NEVER
            elif going_down:
                running = [c for c in world.containers.values() if isinstance(c.status, Running)]
                holding = {c.service for c in running if c.service in desired.services or request.remove_orphans}
                dependents = [c for c in running if container.service in c.depends_on and c.service in holding]
                assert dependents == [] or is_circle(running)
        case RemoveNetwork(name=name):
            assert not world.networks[name].external
            assert all(name not in container.networks for container in world.containers.values())
        case RemoveVolume(name=name):
            assert request.remove_volumes
            assert going_down
            assert not world.volumes[name].external
        case _:
            pass
    assert action.resource not in flying
    assert action.reason


def assert_holds(condition: Condition, status) -> None:
    match condition:
        case Condition.STARTED:
            assert isinstance(status, (Running, Exited))
        case Condition.HEALTHY:
            assert isinstance(status, Running)
            assert status.health.status is HealthStatus.HEALTHY
        case Condition.COMPLETED:
            assert isinstance(status, Exited)
            assert status.exit_code == 0


def is_circle(running) -> bool:
    """Services of containers made at different times may depend on each other."""
    return all(any(c.service in other.depends_on for other in running) for c in running)


def live(random, desired: Desired, world: Observed, *, crashes: bool) -> Observed:
    """Carry plans out in random order, overlapping; with crashes, some calls under way are lost half-way."""
    now, flying = NOW, {}
    for _ in range(10_000):
        now += TICK
        verdict = plan(desired, world, flying, now)
        for action in verdict.ready:
            assert_allowed(action, desired, world, flying)
            flying[action.resource] = action
        assert not (verdict.converged and (flying or verdict.ready or verdict.wake_at))
        if crashes and flying and random.random() < 0.1:
            for action in flying.values():
                world = predict(world, action, now) if random.random() < 0.5 else world
            flying = {}
            continue
        if flying:
            world = predict(world, flying.pop(random.choice(sorted(flying))), now)
            continue
        hoped = assume_the_best(desired, world, now)
        if hoped is not world:
            world = hoped
        elif verdict.wake_at is not None:
            now = max(now, verdict.wake_at)
        else:
            assert verdict.converged, "at rest, but still waiting"
            return world
    raise AssertionError("no fixed point")


def normal_form(observed: Observed):
    containers = {}
    for name, container in observed.containers.items():
        status = container.status
        health = status.health.status if isinstance(status, Running) else None
        containers[name] = (container.config_hash, type(status).__name__, health)
    return containers, set(observed.networks), set(observed.volumes), set(observed.images)


@given(randoms)
@thorough
def test_every_world_reaches_a_fixed_point_and_a_second_run_is_empty(random):
    desired = some_desired(random)
    world = some_world(random, desired)
    rest = live(random, desired, world, crashes=False)
    assert plan(desired, rest, {}, NOW + 1e6).ready == ()
    assert EXTERNAL_VOLUME in rest.volumes
    if not desired.request.remove_volumes:
        assert set(world.volumes) <= set(rest.volumes)


def has_failed(container):
    """Whether it is an init container for whose service nothing can be done."""
    return container.index == 0 and isinstance(container.status, Exited) and bool(container.status.exit_code)


@given(randoms)
@thorough
def test_runs_interrupted_anywhere_end_where_one_run_ends(random):
    desired = some_desired(random)
    # Where a one-shot runs already, the owner of a shared namespace is to stop, or something cannot be done at all, it
    # is a race by nature how far the rest gets.
    desired = wished(desired, *desired.wishes, goal=Goal.RUN)
    world = replace(assume_the_best(desired, some_world(random, desired), NOW), failures={})
    world = replace(world, containers={name: each for name, each in world.containers.items() if not has_failed(each)})
    expected = normal_form(preview(desired, world, NOW).observed)
    assert normal_form(live(random, desired, world, crashes=True)) == expected


@given(randoms)
@thorough
def test_down_leaves_nothing_but_what_was_not_asked_for(random):
    desired = some_desired(random)
    world = replace(some_world(random, desired), failures={})
    services = tuple("abcdef")
    down = Desired(STACK, services=services, request=Request(at=NOW, remove_volumes=desired.request.remove_volumes))
    rest = live(random, down, world, crashes=True)
    assert rest.containers == {}
    assert set(rest.networks) == {EXTERNAL_NETWORK}
    kept = {EXTERNAL_VOLUME} if desired.request.remove_volumes else set(world.volumes)
    assert set(rest.volumes) == kept


@given(randoms)
@thorough
def test_a_plan_depends_on_nothing_but_its_arguments(random):
    desired = some_desired(random)
    world = some_world(random, desired)
    shuffled = list(world.containers.items())
    random.shuffle(shuffled)
    assert plan(desired, world, {}, NOW) == plan(desired, replace(world, containers=dict(shuffled)), {}, NOW)
