"""What keeps the pods of a service running, and how many: Deployments and their like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.kubernetes.cluster import patched, seconds
from orchestra.translation.kubernetes.pod import template
from orchestra.translation.plain import full

if TYPE_CHECKING:
    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_ALWAYS = "Kubernetes restarts a container of a service whatever its exit code"
_ORDER = "kubectl apply starts everything at once: a program must wait for what it needs, or end and be restarted"
_JOBS = frozenset({"replicated-job", "global-job"})
DEPENDS_ON = "io.orchestra.depends-on"


def workload(key: str, service: Given, cluster: Cluster, *, writes_alone: bool, completes: bool) -> Object:
    """writes_alone: it has a volume that no two pods may have at the same time. completes: others wait for its end."""
    deploy = service.below("deploy")
    mode = (deploy.take("mode") if deploy else None) or "replicated"
    restart = _restart(service, deploy)
    pods = template(key, service, cluster)
    asked = service.extension("x-kubernetes") or {}
    patch, schedule = asked.get("workload", {}), asked.get("schedule")
    if schedule:
        return patched(_cron_job(key, service, cluster, str(schedule), _job(service, deploy, restart, pods)), patch)
    if completes or mode in _JOBS or (restart.ends and not _serves(service)):
        kind, spec = "Job", _job(service, deploy, restart, pods)
    else:
        if restart.ends:
            service.ledger.approximate(restart.path, _ALWAYS)
        if restart.attempts is not None and deploy and (policy := deploy.below("restart_policy")):
            policy.lose("max_attempts", "Kubernetes restarts without an end, ever more slowly")
        kind, spec = _service(service, deploy, mode, pods, cluster.selector(key), writes_alone=writes_alone)
    annotations = full(**{DEPENDS_ON: _dependencies(service, cluster)}, **_labels(deploy))
    metadata = cluster.metadata(cluster.names[key], key) | full(annotations=annotations)
    group = "batch/v1" if kind == "Job" else "apps/v1"
    return patched({"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec}, patch)


def _cron_job(key: str, service: Given, cluster: Cluster, schedule: str, job: Object) -> Object:
    """A job that is due while its predecessor still runs is left out."""
    if service.peek("depends_on"):
        service.ledger.lose((*service.path, "depends_on"), "a job that runs at times does not wait for others")
    spec = {"schedule": schedule, "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": job}}
    metadata = cluster.metadata(cluster.names[key], key)
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


class _Restart:
    """What is said of restarts. ends: a container that ends with success stays ended."""

    def __init__(self, path: tuple[str | int, ...], condition: str, attempts: int | None) -> None:
        self.path = path
        self.ends = condition in ("no", "none", "on-failure")
        self.retries = condition == "on-failure"
        self.attempts = attempts


def _restart(service: Given, deploy: Given | None) -> _Restart:
    text = service.take("restart") or ""
    name, _, number = text.partition(":")
    found = _Restart((*service.path, "restart"), name, int(number) if number else None)
    policy = deploy.below("restart_policy") if deploy else None
    if policy:
        condition = policy.take("condition")
        found = _Restart((*policy.path, "condition"), condition or "any", policy.take("max_attempts"))
    return found


def _serves(service: Given) -> bool:
    return bool(service.peek("ports") or service.peek("expose") or service.peek("healthcheck"))


def _replicas(service: Given, deploy: Given | None) -> int:
    scale, replicas = service.take("scale"), deploy.take("replicas") if deploy else None
    return next((number for number in (scale, replicas) if number is not None), 1)


def _job(service: Given, deploy: Given | None, restart: _Restart, pods: Object) -> Object:
    number = _replicas(service, deploy)
    attempts = restart.attempts if restart.attempts is not None else 6 if restart.retries else 0
    pods["spec"]["restartPolicy"] = "OnFailure" if restart.retries else "Never"
    return {"backoffLimit": attempts, "completions": number, "parallelism": number, "template": pods}


def _service(
    service: Given, deploy: Given | None, mode: str, pods: Object, selector: dict[str, str], *, writes_alone: bool
) -> tuple[str, Object]:
    selected: Object = {"selector": {"matchLabels": selector}}
    update = deploy.below("update_config") if deploy else None
    if mode == "global":
        strategy = {"updateStrategy": _rolling(update)} if update else {}
        return "DaemonSet", selected | strategy | _steady(update) | {"template": pods}
    number = _replicas(service, deploy)
    if writes_alone and number <= 1:
        if update and update.peek("order") == "start-first":
            update.lose("order", "a volume with one writer is free only after its pod has ended")
        # A StatefulSet never has two pods of one number, so the volume never has two writers.
        name = selector["app.kubernetes.io/name"]
        return "StatefulSet", {"serviceName": name, "replicas": number, **selected, "template": pods}
    strategy = {"strategy": _rolling(update)} if update else {}
    return "Deployment", {"replicas": number, **selected, **strategy, **_steady(update), "template": pods}


def _rolling(update: Given) -> Object:
    """Kubernetes replaces as many pods at a time as the file says, before or after their successors start."""
    parallelism = update.take("parallelism")
    number: int | str = "100%" if parallelism == 0 else parallelism or 1
    first = update.take("order") == "start-first"
    limits: dict[str, Any] = {"maxSurge": number if first else 0, "maxUnavailable": 0 if first else number}
    return {"type": "RollingUpdate", "rollingUpdate": limits}


def _steady(update: Given | None) -> Object:
    """How long a new pod must have been ready before the next one's turn."""
    if update is None:
        return {}
    monitor = update.take("monitor")
    if update.peek("delay"):
        update.approximate("delay", "the next pod's turn comes when this one has been ready that long")
    pause = seconds(max(monitor or 0, update.peek("delay") or 0), 0, update, "monitor", least=0)
    if update.peek("failure_action") == "pause":
        update.take("failure_action")  # an update whose pods do not become ready does not go on
    return full(minReadySeconds=pause)


def _labels(deploy: Given | None) -> dict[str, str]:
    return dict(deploy.take("labels") or {}) if deploy else {}


def _dependencies(service: Given, cluster: Cluster) -> str:
    """For the annotation: ``db=service_healthy,cache=service_started``."""
    found = []
    for key, dependency in service.entries("depends_on").items():
        if dependency is None or key not in cluster.names:
            service.ledger.use((*service.path, "depends_on", key))
            continue
        found.append(f"{cluster.names[key]}={dependency.take('condition')}")
        dependency.take("required")
    if found:
        service.ledger.approximate((*service.path, "depends_on"), _ORDER)
    return ",".join(found)
