"""Why something is as it is: from what is asked for, what is there and what the logs say, to the first cause."""

from __future__ import annotations

import pytest

from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Container, Created, Exited, Failure, Image, Network, Observed, Running, Verb
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal
from orchestra.plan.causes import Evidence, Explainer, describe_end
from orchestra.plan.health import effective_healthcheck
from orchestra.record import replace
from tests.plan.stacks import service, stack, wished

NOW = 1000.0
HEALTHY, UNHEALTHY = HealthStatus.HEALTHY, HealthStatus.UNHEALTHY


def running(status=HealthStatus.NONE, **health):
    return Running(1, 990.0, Health(status, **health))


def ended(code, **fields):
    return Exited(code, 990.0, 995.0, **fields)


def world(desired, **states):
    """What is there, with these states by service; the others run. None: no container."""
    containers = {
        spec.name: Container(
            name=spec.name,
            service=spec.service,
            index=spec.index,
            id=f"id-{spec.name}",
            config_hash=spec.config_hash,
            image=spec.image,
            image_digest="d1",
            status=states.get(spec.service, running()),
            created_at=900.0,
            networks=tuple(endpoint.network for endpoint in spec.endpoints),
            endpoints={endpoint.network: endpoint.config_hash for endpoint in spec.endpoints},
            healthcheck=effective_healthcheck(spec, None),
        )
        for spec in desired.containers
        if states.get(spec.service, "") is not None
    }
    return Observed(
        stack=desired.stack,
        containers=containers,
        networks={network.name: Network(network.name, network.config_hash) for network in desired.networks},
        images={image.key: Image(image.key, "d1") for image in desired.images},
    )


def explain(service_name, desired, observed, **logs):
    """logs: last lines by service."""

    def look(container):
        return logs.get(container.service, Evidence())

    return Explainer(desired, observed, NOW, look).explain(service_name)


def told(*arguments, **logs):
    return [f"{cause.subject} {cause.what}" for cause in explain(*arguments, **logs)]


def failed(resource, verb, error, hint=""):
    return {resource: Failure(resource, verb, error, temporary=False, attempts=1, at=999.0, hint=hint)}


CHAIN = stack(service("db", healthy=True), service("web", "db:healthy"), service("front", "web"))


def test_a_chain_ends_with_the_first_cause():
    sick = running(UNHEALTHY, failing_streak=4, output="refused\n", exit_code=2)
    observed = world(CHAIN, db=sick, web=Created(), front=Created())
    first = "s-db-1 is unhealthy: true failed 4 times in a row: refused (exit code 2)"
    assert told("front", CHAIN, observed) == [
        "s-front-1 waits for s-web-1, which cannot be started",
        "s-web-1 dependency failed to start: container s-db-1 is unhealthy: refused (exit code 2)",
        first,
    ]
    assert told("db", CHAIN, observed) == [first]


def test_a_failed_image_is_the_cause_of_all_that_wait_for_it():
    observed = world(CHAIN, db=None, web=None, front=None)
    resource = ResourceId.image("app")
    observed = replace(observed, images={}, failures=failed(resource, Verb.PULL, "no such image", "correct the name"))
    causes = explain("front", CHAIN, observed)
    assert (causes[-1].subject, causes[-1].what, causes[-1].hint) == ("image/app", "no such image", "correct the name")


def test_what_cannot_be_started_says_so_with_its_hint():
    resource = ResourceId.container("s-db-1")
    observed = replace(
        world(CHAIN, db=Created(), web=Created(), front=Created()),
        failures=failed(resource, Verb.START, "container s-db-1: port 80 is in use", "by nginx"),
    )
    causes = explain("web", CHAIN, observed)
    assert (causes[-1].subject, causes[-1].what, causes[-1].hint) == ("s-db-1", "port 80 is in use", "by nginx")


ONE = stack(service("web"), service("db"), service("far", networks=("other",)))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ended(3), "ended 5 s ago with exit code 3"),
        (ended(127), "ended 5 s ago with exit code 127: its shell does not find a command"),
        (ended(126), "ended 5 s ago with exit code 126: its shell may not execute a command"),
        (ended(139), "crashed 5 s ago with SIGSEGV (exit code 139)"),
        (ended(137), "was ended 5 s ago by SIGKILL (exit code 137)"),
        (ended(143), "was ended 5 s ago by SIGTERM (exit code 143)"),
        (ended(250), "ended 5 s ago with exit code 250"),
        (ended(None), "ended 5 s ago, and its exit code was lost"),
        (ended(137, oom_killed=True), "was killed 5 s ago because it needed more memory than the machine had left"),
        (replace(running(), paused=True), "is paused"),
    ],
)
def test_a_state_in_words(status, words):
    assert told("web", ONE, world(ONE, web=status)) == [f"s-web-1 {words}"]


def test_the_limit_of_memory_is_named():
    assert describe_end(ended(137, oom_killed=True), "now", 20 << 20).endswith("more memory than its limit of 20 MiB")


@pytest.mark.parametrize("status", [running(), running(HEALTHY), ended(0)])
def test_nothing_is_wrong(status):
    (cause,) = explain("web", ONE, world(ONE, web=status))
    assert not cause.wrong


def test_what_runs_badly_is_told():
    observed = world(ONE)
    held = Evidence(throttled=0.5)
    assert told("web", ONE, observed, web=held) == [
        "s-web-1 has been running for 10 s, but its limit of processors holds it back in 50 % of the time"
    ]
    full = Evidence(memory=0.97)
    assert not explain("web", ONE, observed, web=full)[0].wrong, "without a limit of its own, that is the machine's"


def test_a_crash_loop_says_when_it_goes_on():
    desired = stack(service("web", restart="always"))
    observed = world(desired, web=Exited(1, 999.0, 999.9))
    observed = replace(
        observed, containers={name: replace(each, restarts=6, backoff=6) for name, each in observed.containers.items()}
    )
    (cause,) = explain("web", desired, observed, web=Evidence(log=("a", "no such file or directory")))
    assert (
        cause.what
        == "is in a crash loop: it ended 0 s ago with exit code 1; restart 7 comes in 6 s; it does not find a file"
    )
    assert cause.log == ("a", "no such file or directory")


def test_a_name_in_the_log_leads_to_the_service_that_is_meant():
    log = Evidence(log=("getaddrinfo ENOTFOUND db",), changed=("revision 3 (alice: up) changed it", "a: 1 → 2"))
    observed = world(ONE, web=ended(1), db=ended(5))
    causes = explain("web", ONE, observed, web=log)
    assert [cause.subject for cause in causes] == ["s-web-1", "s-db-1"]
    assert causes[-1].what == "ended 5 s ago with exit code 5"
    assert causes[0].changed == log.changed
    (alone,) = explain("web", ONE, world(ONE, web=ended(1)), web=log)
    assert alone.what.endswith("it does not find the name db")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dbb", "did you mean db?"),
        ("far", "web and far share no network: give them one under networks"),
        ("db.example.com", ""),
    ],
)
def test_a_name_that_cannot_be_found_has_a_hint(name, hint):
    log = Evidence(log=(f"getaddrinfo ENOTFOUND {name}",))
    (cause,) = explain("web", ONE, world(ONE, web=ended(1)), web=log)
    assert cause.hint == hint


def test_two_that_look_for_each_other_end_the_chain():
    observed = world(ONE, web=ended(1), db=ended(1))
    logs = {"web": Evidence(log=("dial tcp db:1: connection refused",)), "db": Evidence(log=("bad address 'web'",))}
    assert [cause.subject for cause in explain("web", ONE, observed, **logs)] == ["s-web-1", "s-db-1"]


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal.STOP, "was stopped by a command 2 minutes ago"),
        (Goal.LEAVE, "was killed by a command 2 minutes ago"),
        (Goal.CREATE, "was only asked to be created 2 minutes ago"),
    ],
)
def test_what_a_command_asked_for_is_not_wrong(goal, words):
    desired = wished(ONE, "web", goal=goal, at=NOW - 130)
    (cause,) = explain("web", desired, world(ONE, web=ended(137, stopped=True)))
    assert (cause.what, cause.wrong) == (words, False)


def test_services_without_containers():
    desired = replace(stack(service("web")), services=("web", "job", "none"), disabled=("job",))
    observed = world(desired)
    assert told("job", desired, observed) == ["job is not enabled: no active profile has it"]
    assert told("none", desired, observed) == ["none has no containers: it is scaled to 0"]
    assert told("other", desired, observed) == ["other is not in the Compose file that up was last used with"]
    down = replace(desired, containers=(), networks=())
    assert told("web", down, observed) == ["web is not there: the stack is down"]


def test_of_several_replicas_the_one_that_is_wrong():
    desired = stack(service("web", replicas=3))
    observed = world(desired)
    bad = replace(observed.containers["s-web-2"], status=ended(1))
    observed = replace(observed, containers={**observed.containers, "s-web-2": bad})
    assert told("web", desired, observed) == ["s-web-2 ended 5 s ago with exit code 1"]
