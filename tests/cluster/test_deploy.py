"""A stack in a cluster: what is made, in which order, and what happens when that fails."""

from __future__ import annotations

import pytest

from orchestra.cluster.difference import difference
from orchestra.cluster.kinds import Key
from orchestra.cluster.view import removable, remove
from orchestra.errors import FatalError, UserError
from tests.cluster.server import ready
from tests.translation.conftest import convert  # noqa: F401 - a fixture

SHOP = """
services:
  web:
    image: web:%s
    ports: ["80:8000"]
    depends_on: {db: {condition: service_healthy}, migrate: {condition: service_completed_successfully}}
  migrate: {image: "web:%s", command: [migrate], restart: on-failure, depends_on: [db]}
  db: {image: db, volumes: [data:/data], secrets: [password], healthcheck: {test: check}}
volumes: {data: }
secrets: {password: {environment: PASSWORD}}
"""


@pytest.fixture
def shop(convert):  # noqa: F811
    def shop(version="1", password="one"):
        return convert(SHOP % (version, version), PASSWORD=password)

    return shop


def effects(changes):
    return {str(change.key): str(change.effect) for change in changes if change.effect != "unchanged"}


def applied(server):
    """What was applied, in its order, without dry runs, and without what keeps the deployment."""
    return [
        line.partition("?")[0].rpartition("/")[2]
        for line in server.seen
        if line.startswith("PATCH") and "dryRun" not in line and "-revision-" not in line
    ]


def test_a_second_deploy_changes_nothing(server, shop, deploy):
    assert set(effects(deploy(shop())).values()) == {"created"}
    before = {path: item.get("metadata") for path, item in server.objects.items()}
    assert effects(deploy(shop())) == {}
    assert {path: item.get("metadata") for path, item in server.objects.items()} == before


def test_what_is_waited_for_comes_first(server, shop, deploy):
    deploy(shop())
    order = applied(server)
    assert [name for name in order if name in ("db", "migrate", "web")][-3:] == ["db", "migrate", "web"]
    assert order[0].startswith("password-")


def test_nothing_is_applied_before_what_it_needs_is_ready(server, shop, deploy, clock):
    def slow(item):
        return ready(item) if item["kind"] != "StatefulSet" else {"observedGeneration": 1, "replicas": 1}

    def becomes_ready():
        assert "web" not in applied(server)[-1:]
        server.of("statefulsets/db")["status"] = ready(server.of("statefulsets/db"))

    server.controller, clock.at_pause = slow, becomes_ready
    deploy(shop())
    assert len(clock.waits) == 1
    assert "statefulset/db 0 of 1 pods available" in deploy.told


def test_a_change_of_the_file_changes_only_that(shop, deploy):
    deploy(shop())
    assert effects(deploy(shop("2"))) == {"deployment/web": "changed", "job/migrate": "replaced"}


def test_a_job_that_failed_runs_again(server, shop, deploy):
    failed = {"conditions": [{"type": "Failed", "status": "True", "message": "it ended with code 1"}]}
    server.controller = lambda item: failed if item["kind"] == "Job" else ready(item)
    with pytest.raises(FatalError, match="job/migrate: it failed: it ended with code 1"):
        deploy(shop(), roll_back=False)
    server.controller = ready
    assert effects(deploy(shop())) == {"job/migrate": "replaced", "deployment/web": "created"}


def test_a_new_content_replaces_its_object_after_those_that_use_it(server, shop, deploy):
    deploy(shop())
    changes = deploy(shop(password="two"))
    assert sorted(effects(changes).values()) == ["changed", "created", "removed"]
    assert [line.split()[0] for line in server.seen if "/secrets/password-" in line][-1] == "DELETE"


def test_what_left_the_file_is_removed_but_no_data(server, shop, deploy, convert):  # noqa: F811
    deploy(shop())
    done = deploy(convert("services: {web: {image: 'web:1'}}"))
    assert {str(change.key) for change in done if change.effect == "removed"} >= {"statefulset/db", "job/migrate"}
    assert "/api/v1/namespaces/default/persistentvolumeclaims/data" in server.objects


def test_a_dry_run_shows_a_diff_and_changes_nothing(server, shop, deploy):
    deploy(shop())
    before = {path: item["metadata"] for path, item in server.objects.items() if "metadata" in item}
    changes = [change for change in deploy(shop("2"), dry=True) if change.effect == "changed"]
    assert [str(change.key) for change in changes] == ["deployment/web"]
    assert "-        - image: web:1\n+        - image: web:2\n" in difference(changes[0])
    assert {path: item["metadata"] for path, item in server.objects.items() if "metadata" in item} == before


def test_a_diff_does_not_show_secrets(shop, deploy):
    (secret,) = [change for change in deploy(shop(), dry=True) if change.key.kind == "Secret"]
    assert "bytes of base64" in difference(secret)
    assert "b25l" not in difference(secret)


def test_a_deploy_that_fails_takes_back_what_it_changed(server, shop, deploy):
    deploy(shop())
    before = server.of("deployments/web")["spec"]

    def stuck(item):
        status = ready(item)
        if item["kind"] == "Deployment" and "web:2" in str(item["spec"]):
            conditions = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "no progress"}]
            return {**status, "availableReplicas": 0, "conditions": conditions}
        return status

    server.controller = stuck
    server.events = [
        {
            "involvedObject": {"name": "web-1"},
            "reason": "Failed",
            "message": "no such image",
            "lastTimestamp": "2030-01-01T00:00:00Z",
        }
    ]
    with pytest.raises(FatalError, match="deployment/web: no progress") as caught:
        deploy(shop("2", password="two"))
    assert caught.value.hint == "Failed: no such image"
    assert server.of("deployments/web")["spec"] == before
    assert [path for path in server.objects if "/secrets/" in path and "password-" in path] == [
        path for path in server.objects if "/secrets/" in path and not path.endswith("/stack-revision-1")
    ]
    assert effects(deploy(shop())) == {}


def test_what_a_failed_first_deploy_made_is_removed_but_no_data(server, shop, deploy, clock):
    server.controller = lambda item: {} if item["kind"] == "StatefulSet" else ready(item)
    with pytest.raises(FatalError, match="db not ready after 5 seconds"):
        deploy(shop(), seconds=5)
    left = [path for path, item in server.objects.items() if "metadata" in item]
    assert left == ["/api/v1/namespaces/default/persistentvolumeclaims/data"]


def test_what_another_program_made_is_left_alone(server, shop, deploy):
    server.objects["/apis/apps/v1/namespaces/default/deployments/web"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app.kubernetes.io/part-of": "other"}},
    }
    with pytest.raises(UserError, match="deployment/web exists in namespace default and is of stack other"):
        deploy(shop())
    assert applied(server) == []


def test_fields_of_others_are_taken_over_only_when_asked(server, shop, deploy):
    deploy(shop())
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    server.apply(path, scaled, "scaler", force=True, dry=False)
    with pytest.raises(FatalError, match=r"spec.replicas.*scaler") as caught:
        deploy(shop())
    assert "--force-conflicts" in caught.value.hint
    assert server.of("deployments/web")["spec"]["replicas"] == 5
    assert effects(deploy(shop(), force=True)) == {"deployment/web": "changed"}


def test_a_namespace_is_made_when_it_is_not_there(server, shop, deploy):
    del server.objects["/api/v1/namespaces/default"]
    assert set(effects(deploy(shop(), dry=True)).values()) == {"created"}
    assert server.objects == {}
    deploy(shop())
    assert "namespace/default created" in deploy.told


def test_down_removes_all_but_the_data(server, shop, deploy, api, clock):
    deploy(shop())
    keys = removable(api, "stack", volumes=False)
    assert keys[0].kind == "Job"
    assert Key("PersistentVolumeClaim", "data") not in keys
    remove(api, "stack", keys, lambda *_: None, clock, clock.pause)
    assert [path for path, item in server.objects.items() if "metadata" in item] == [
        "/api/v1/namespaces/default/persistentvolumeclaims/data"
    ]
    remove(api, "stack", removable(api, "stack", volumes=True), lambda *_: None, clock, clock.pause)
    assert [path for path, item in server.objects.items() if "metadata" in item] == []


ROUTE = 'services: {web: {image: web, ports: ["80"], x-kubernetes: {route: {gateway: shared}}}}'


def test_a_cluster_without_the_gateway_api_says_so_and_takes_all_back(server, deploy, convert):  # noqa: F811
    server.fail("GET /apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes?", 404)
    server.fail("PATCH /apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes", 404)
    with pytest.raises(FatalError, match="httproute/web: the cluster has no objects of the kind HTTPRoute") as caught:
        deploy(convert(ROUTE))
    assert "Gateway API" in caught.value.hint
    assert [path for path in server.objects if "/services/" in path] == []


def test_a_route_goes_when_it_leaves_the_file(server, deploy, convert):  # noqa: F811
    deploy(convert(ROUTE))
    assert effects(deploy(convert(ROUTE.replace("{route: {gateway: shared}}", "{}")))) == {"httproute/web": "removed"}
