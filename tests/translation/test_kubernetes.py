"""What becomes of each part of a file in Kubernetes."""

from __future__ import annotations

import base64
import json

import pytest

from tests.translation.conftest import box, find, pod, told
from tests.translation.routes import validate_route
from tests.translation.schemas import validate

WEB = "services: {web: {image: web, %s}}"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("", "Deployment"),
        ("restart: always", "Deployment"),
        ('restart: "no"', "Job"),
        ("restart: on-failure", "Job"),
        ('restart: "no", ports: ["80"]', "Deployment"),
        ("deploy: {mode: global}", "DaemonSet"),
        ("deploy: {mode: replicated-job, replicas: 3}", "Job"),
    ],
)
def test_what_keeps_pods_running_follows_from_restarts_and_mode(convert, said, kind):
    assert find(convert(WEB % said), kind)["metadata"]["name"] == "web"


def test_a_service_that_others_wait_for_is_a_job(convert):
    done = convert(
        "services: {migrate: {image: m}, web: {image: w, depends_on: "
        "{migrate: {condition: service_completed_successfully}}}}"
    )
    assert find(done, "Job")["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    annotations = find(done, "Deployment", "web")["metadata"]["annotations"]
    assert annotations == {"io.orchestra.depends-on": "migrate=service_completed_successfully"}
    assert told(done) == {"services.web.depends_on": "approximated"}


def test_jobs_try_as_often_as_the_file_says(convert):
    job = find(convert(WEB % "restart: on-failure:4, deploy: {replicas: 2}"), "Job")["spec"]
    assert (job["backoffLimit"], job["completions"], job["parallelism"]) == (4, 2, 2)
    assert job["template"]["spec"]["restartPolicy"] == "OnFailure"


def test_a_volume_with_one_writer_never_has_two(convert):
    done = convert("services: {db: {image: db, volumes: [data:/data]}}\nvolumes: {data: }")
    assert find(done, "StatefulSet")["spec"]["serviceName"] == "db"
    assert find(done, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert told(done) == {"volumes.data": "approximated"}


@pytest.mark.parametrize(
    "services",
    [
        "{a: {image: a, volumes: [data:/data]}, b: {image: b, volumes: ['data:/data:ro']}}",
        "{a: {image: a, volumes: [data:/data], deploy: {replicas: 2}}}",
        "{a: {image: a, volumes: [data:/data], deploy: {mode: global}}}",
    ],
)
def test_a_shared_volume_stays_one(convert, services):
    claim = find(convert(f"services: {services}\nvolumes: {{data: }}"), "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ("parallelism: 2, order: start-first", {"maxSurge": 2, "maxUnavailable": 0}),
        ("parallelism: 3", {"maxSurge": 0, "maxUnavailable": 3}),
        ("parallelism: 0", {"maxSurge": 0, "maxUnavailable": "100%"}),
    ],
)
def test_updates_replace_as_many_at_a_time_as_the_file_says(convert, said, limits):
    deployment = find(convert(WEB % f"deploy: {{update_config: {{{said}, monitor: 10s}}}}"), "Deployment")["spec"]
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": limits}
    assert deployment["minReadySeconds"] == 10


def test_names_are_headless_and_published_ports_are_balanced(convert):
    done = convert(WEB % 'ports: ["8080:80", "53:53/udp"], networks: {default: {aliases: [shop]}}, container_name: one')
    for name in ("web", "shop", "one"):
        service = find(done, "Service", name)["spec"]
        assert service["clusterIP"] == "None"
        assert [port["port"] for port in service["ports"]] == [80, 53]
    published = find(done, "Service", "web-published")["spec"]
    assert published["type"] == "LoadBalancer"
    assert [(port["port"], port["targetPort"], port["protocol"]) for port in published["ports"]] == [
        (8080, 80, "TCP"),
        (53, 53, "UDP"),
    ]


def test_a_link_is_a_name_too(convert):
    done = convert("services: {web: {image: w, links: ['db:store']}, db: {image: d}}")
    assert find(done, "Service", "store")["spec"]["selector"]["app.kubernetes.io/name"] == "db"


def test_what_is_published_on_this_host_only_stays_inside(convert):
    done = convert(WEB % 'ports: ["127.0.0.1:8080:80"]')
    assert [item["metadata"]["name"] for item in done.objects if item["kind"] == "Service"] == ["web"]
    assert not [item for item in done.objects if item["metadata"]["name"] == "web-published"]
    assert told(done) == {"services.web.ports[0].host_ip": "approximated"}


def test_pods_reach_each_other_as_containers_do(convert):
    done = convert(
        "services: {web: {image: w, ports: ['80'], networks: [front, back]}, db: {image: d, networks: [back]},"
        " alone: {image: a, network_mode: none}}\nnetworks: {front: , back: {internal: true}}"
    )
    assert pod_labels(done, "web") == {"network.orchestra.io/front": "true", "network.orchestra.io/back": "true"}
    back, front = (find(done, "NetworkPolicy", f"network-{name}")["spec"] for name in ("back", "front"))
    assert back["ingress"] == [{"from": [{"podSelector": back["podSelector"]}]}]
    assert [port["port"] for port in back["egress"][1]["ports"]] == [53] * 2
    assert front["egress"] == [{}]
    assert find(done, "NetworkPolicy", "web-published")["spec"]["ingress"] == [
        {"ports": [{"port": 80, "protocol": "TCP"}]}
    ]
    assert "ingress" not in find(done, "NetworkPolicy", "alone-alone")["spec"]


def pod_labels(done, name):
    labels = find(done, "Deployment", name)["spec"]["template"]["metadata"]["labels"]
    return {key: value for key, value in labels.items() if key.startswith("network.")}


def test_commands_and_variables_mean_the_same(convert):
    """Kubernetes replaces $(NAME), the file does not; its command takes the place of the image's arguments only."""
    done = box(convert(WEB % 'entrypoint: [run], command: ["$$(HOME)"], environment: {A: "$$(B)", C: }'))
    assert (done["command"], done["args"]) == (["run"], ["$$(HOME)"])
    assert done["env"] == [{"name": "A", "value": "$$(B)"}]


def test_an_unhealthy_pod_is_not_found_but_not_restarted_either(convert):
    done = box(convert(WEB % "healthcheck: {test: check, interval: 5s, timeout: 2s, retries: 4, start_period: 1m}"))
    assert done["readinessProbe"] == {
        "exec": {"command": ["/bin/sh", "-c", "check"]},
        "periodSeconds": 5,
        "timeoutSeconds": 2,
        "failureThreshold": 4,
    }
    assert "livenessProbe" not in done


def test_it_is_restarted_where_the_file_says_so(convert):
    check = "healthcheck: {test: [CMD, check], interval: 5s, start_period: 1m}, x-orchestra: {restart: unhealthy}"
    done = box(convert(WEB % check))
    assert done["livenessProbe"]["failureThreshold"] == 3
    assert done["startupProbe"]["failureThreshold"] == 15


def test_limits_and_reservations(convert):
    resources = "{limits: {cpus: '1.5', memory: 512m}, reservations: {cpus: '0.25', memory: 128m}}"
    done = box(convert(WEB % f"deploy: {{resources: {resources}}}, gpus: [{{count: 2}}]"))
    assert done["resources"] == {
        "limits": {"cpu": "1500m", "memory": str(512 << 20), "nvidia.com/gpu": "2"},
        "requests": {"cpu": "250m", "memory": str(128 << 20)},
    }


def test_what_a_container_may_do(convert):
    done = convert(
        WEB % "cap_add: [NET_ADMIN], cap_drop: [ALL], read_only: true, user: '7:8', group_add: ['9'],"
        " security_opt: ['no-new-privileges:true'], sysctls: {net.core.somaxconn: 5}"
    )
    assert box(done)["securityContext"] == {
        "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsUser": 7,
        "runAsGroup": 8,
        "allowPrivilegeEscalation": False,
    }
    assert pod(done, "Deployment")["securityContext"] == {
        "supplementalGroups": [9],
        "sysctls": [{"name": "net.core.somaxconn", "value": "5"}],
    }
    assert pod(done, "Deployment")["automountServiceAccountToken"] is False


def test_secrets_and_configs_are_named_by_their_content(convert):
    text = (
        "services: {web: {image: w, secrets: [token], configs: [{source: settings, target: /etc/s, mode: 0440}]}}\n"
        "secrets: {token: {environment: TOKEN}}\nconfigs: {settings: {content: a}}"
    )
    one, other = convert(text, TOKEN="one"), convert(text, TOKEN="two")
    secret = find(one, "Secret")
    assert base64.b64decode(secret["data"]["token"]) == b"one"
    assert secret["immutable"]
    assert secret["metadata"]["name"] != find(other, "Secret")["metadata"]["name"]
    mounts = box(one)["volumeMounts"]
    assert [(mount["mountPath"], mount["subPath"]) for mount in mounts] == [
        ("/etc/s", "settings"),
        ("/run/secrets/token", "token"),
    ]
    assert pod(one, "Deployment")["volumes"][0]["configMap"]["defaultMode"] == 0o440
    assert told(one) == {}


def test_a_secret_without_a_value_is_told(convert):
    done = convert("services: {web: {image: w, secrets: [token]}}\nsecrets: {token: {environment: TOKEN}}")
    assert told(done) == {"secrets.token": "not-translated", "services.web.secrets[0]": "not-translated"}


def test_a_file_of_the_project_goes_along_and_a_directory_does_not(convert, tmp_path):
    (tmp_path / "nginx.conf").write_text("listen 80;")
    (tmp_path / "picture").write_bytes(b"\xff\xfe")
    (tmp_path / "site").mkdir()
    done = convert(WEB % "volumes: ['./nginx.conf:/etc/nginx.conf:ro', './picture:/p', './site:/site']")
    assert [volume.keys() - {"name"} for volume in pod(done, "Deployment")["volumes"]] == [
        {"configMap"},
        {"configMap"},
        {"hostPath"},
    ]
    maps = [item for item in done.objects if item["kind"] == "ConfigMap"]
    assert maps[0]["data"] == {"nginx.conf": "listen 80;"}
    assert base64.b64decode(maps[1]["binaryData"]["picture"]) == b"\xff\xfe"
    assert set(told(done)) == {f"services.web.volumes[{number}]" for number in range(3)}


def test_placement(convert):
    constraints = "[node.labels.disk == ssd, node.role != manager, node.hostname != old]"
    done = pod(
        convert(WEB % f"platform: linux/arm64, deploy: {{placement: {{constraints: {constraints}}}}}"), "Deployment"
    )
    assert done["nodeSelector"] == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}
    terms = done["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"] == [
        {"key": "disk", "operator": "In", "values": ["ssd"]},
        {"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"},
        {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["old"]},
    ]


def test_hooks_and_init_containers(convert):
    done = convert(
        WEB % "pre_start: [{command: [prepare], image: other, user: '3'}], post_start: [{command: [a]}],"
        " pre_stop: [{command: [b, c d]}, {command: [e]}]"
    )
    (first,) = pod(done, "Deployment")["initContainers"]
    assert (first["image"], first["command"], first["securityContext"]) == ("other", ["prepare"], {"runAsUser": 3})
    assert box(done)["lifecycle"] == {
        "postStart": {"exec": {"command": ["a"]}},
        "preStop": {"exec": {"command": ["/bin/sh", "-ec", "b 'c d' && e"]}},
    }


def test_names_that_kubernetes_does_not_take(convert):
    done = convert("services: {my_db: {image: a}, my-db: {image: b}, '9': {image: c}, %s: {image: d}}" % ("x" * 70))
    names = [item["metadata"]["name"] for item in done.objects if item["kind"] == "Deployment"]
    assert len(set(names)) == 4
    assert "my-db" in names
    assert "x-9" in names
    assert max(map(len, names)) <= 63
    assert set(told(done)) == {"services.my_db", "services.9", f"services.{'x' * 70}"}


def test_what_the_file_says_of_kubernetes_has_the_last_word(convert):
    done = convert(
        "services: {web: {image: w, ports: ['80'], x-kubernetes: {workload: {spec: {replicas: 7}}, "
        "pod: {enableServiceLinks: null}, container: {tty: true}, service: {spec: {type: NodePort}}}}}"
    )
    assert find(done, "Deployment")["spec"]["replicas"] == 7
    assert "enableServiceLinks" not in pod(done, "Deployment")
    assert box(done)["tty"] is True
    assert find(done, "Service", "web-published")["spec"]["type"] == "NodePort"
    assert told(done) == {}


def test_an_ingress_is_made_where_it_is_asked_for(convert):
    done = convert(
        WEB % "ports: ['80:8000'], x-kubernetes: {ingress: {host: shop.example, spec: {ingressClassName: nginx}}}"
    )
    ingress = find(done, "Ingress")
    validate(ingress)
    backend = {"service": {"name": "web-published", "port": {"number": 80}}}
    assert ingress["spec"] == {
        "rules": [
            {"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        ],
        "ingressClassName": "nginx",
    }
    assert told(convert(WEB % "x-kubernetes: {ingress: {}}")) == {"services.web.x-kubernetes.ingress": "not-translated"}


def test_a_route_of_the_gateway_api_is_made_where_it_is_asked_for(convert):
    asked = "gateway: infra/shared, listener: https, host: shop.example"
    done = convert(WEB % f"ports: ['80:8000'], x-kubernetes: {{route: {{{asked}}}}}")
    route = find(done, "HTTPRoute")
    validate_route(route)
    assert route["spec"] == {
        "parentRefs": [{"name": "shared", "namespace": "infra", "sectionName": "https"}],
        "hostnames": ["shop.example"],
        "rules": [{"backendRefs": [{"name": "web-published", "port": 80}]}],
    }
    assert told(done) == {}


def test_what_a_route_says_is_merged_into_it(convert):
    rule = "{matches: [{path: {type: PathPrefix, value: /shop}}], backendRefs: [{name: web-published, port: 80}]}"
    asked = f"gateway: own, metadata: {{annotations: {{a: b}}}}, spec: {{rules: [{rule}]}}"
    done = convert(WEB % f"ports: ['80:8000'], x-kubernetes: {{route: {{{asked}}}}}")
    route = json.loads(json.dumps(find(done, "HTTPRoute")))
    validate_route(route)
    assert route["spec"]["parentRefs"] == [{"name": "own"}]
    assert "hostnames" not in route["spec"]
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/shop"}}]
    assert route["metadata"]["annotations"] == {"a": "b"}


@pytest.mark.parametrize(
    "said", ["ports: ['80'], x-kubernetes: {route: {host: a}}", "x-kubernetes: {route: {gateway: a}}"]
)
def test_a_route_from_nowhere_or_to_nothing_is_told(convert, said):
    assert told(convert(WEB % said)) == {"services.web.x-kubernetes.route": "not-translated"}


def test_a_job_that_runs_at_times(convert):
    done = convert(
        "services: {n: {image: a, restart: on-failure, depends_on: [b], x-kubernetes: {schedule: '0 3 * * *'}}, "
        "b: {image: b}}"
    )
    job = find(done, "CronJob", "n")
    validate(job)
    assert (job["spec"]["schedule"], job["spec"]["concurrencyPolicy"]) == ("0 3 * * *", "Forbid")
    assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
    assert told(done) == {"services.n.depends_on": "not-translated"}


def test_the_result_is_data(convert):
    done = convert(WEB % "environment: {A: 1, B: true}, stop_grace_period: 20s")
    assert json.loads(json.dumps(done.objects)) == list(done.objects)
    assert {entry["name"]: entry["value"] for entry in box(done)["env"]} == {"A": "1", "B": "true"}
    assert pod(done, "Deployment")["terminationGracePeriodSeconds"] == 20
