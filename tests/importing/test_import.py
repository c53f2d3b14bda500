"""Files of other engines as Compose files. Whatever is made must load, and whatever is not made must be reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.compose import LoadRequest
from orchestra.compose.nodes import plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents
from orchestra.compose.yaml_text import render_yaml
from orchestra.errors import ComposeError, UserError
from orchestra.importing.read import convert
from orchestra.translation.quadlet.translate import translate as to_quadlet
from orchestra.translation.quadlet.unit import render_unit
from orchestra.translation.source import read
from tests.translation.conftest import convert as to_kubernetes  # noqa: F401 - a fixture

INSPECTED = Path(__file__).with_name("inspected.json")
"""What Docker 26.1 prints of two containers that Docker Compose has made."""
SHOP = """
name: shop
services:
  web:
    image: web:1
    entrypoint: [/entry]
    command: [serve, "$$HOME"]
    ports: ["80:8000", "53:53/udp"]
    environment: {A: b, C: "x$$y"}
    user: "1000:1000"
    read_only: true
    cap_drop: [ALL]
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: [CMD, check, "100%"], interval: 5s, timeout: 3s}
    networks: {default: {aliases: [www]}}
    deploy: {replicas: 1, resources: {limits: {cpus: "0.5", memory: 64m}}}
  migrate: {image: "web:1", command: [migrate], restart: on-failure, configs: [{source: conf, target: /etc/conf}]}
  db: {image: db, volumes: [data:/data], secrets: [password], stop_grace_period: 1m, healthcheck: {test: check}}
volumes: {data: }
configs: {conf: {content: "k=$$v"}}
secrets: {password: {environment: PASSWORD}}
"""


@pytest.fixture
def imported(tmp_path):
    """The stack of the Compose file that texts become, by their names, which must load; and the losses."""

    def imported(**texts):
        return imported_files([(name.replace("__", "."), text) for name, text in texts.items()])

    def imported_files(texts):
        result = convert(texts)
        path = tmp_path / "imported.yaml"
        path.write_text(result.text)
        request = LoadRequest(
            environment={"X": "x", "TOKEN": "t", "P_user": "u", "P_token": "t"},
            working_directory=str(tmp_path),
            files=(path.name,),
            project_name="imported",
        )
        read(request)  # it is a Compose file
        document = parse_documents(Source(path.name, result.text), Problems())[0]
        return plain(document), [f"{loss.span.line}: {loss.message}" for loss in result.losses]

    imported.files = imported_files
    return imported


@pytest.fixture
def source(tmp_path):
    (tmp_path / "compose.yaml").write_text(SHOP)
    return read(LoadRequest(environment={"PASSWORD": "p"}, working_directory=str(tmp_path), files=("compose.yaml",)))


def test_containers_of_docker_compose_come_back(imported):
    stack, losses = imported.files([("-", INSPECTED.read_text())])
    web, db = stack["services"]["web"], stack["services"]["db"]
    assert losses == []
    assert stack["name"] == "shop"
    assert db == {
        "image": "bb",
        "command": ("sleep", "1000"),
        "environment": ("PATH=/bin:/usr/bin",),
        "network_mode": "none",
        "init": True,
    }
    assert web["command"] == ("sh", "-c", "sleep $$((1000))")
    assert web["environment"][0] == "A=b$$c"
    assert web["ports"] == ("53:53/udp", "127.0.0.1:8081:80")
    assert web["volumes"] == ("/etc/hosts:/h:ro", "shop_data:/data", "/anonymous")
    assert web["depends_on"] == {"db": {"condition": "service_started"}}
    assert web["networks"] == {"shop_back": {"aliases": ("www",)}}
    assert (web["cpus"], web["mem_limit"], web["restart"], web["labels"]) == (
        0.5,
        64 << 20,
        "on-failure:3",
        {"team": "shop"},
    )
    assert stack["networks"] == {"shop_back": {"name": "shop_back", "external": True}}


def test_what_of_a_container_has_no_counterpart_is_said_at_its_place(imported):
    text = '[\n{"Id": "1", "Name": "/a", "Config": {"Image": "a"},\n "HostConfig": {"Isolation": "hyperv"}}]'
    stack, losses = imported.files([("-", text)])
    assert stack["services"]["a"] == {"image": "a", "container_name": "a"}
    assert losses == ["3: containers[0].HostConfig.Isolation: has no counterpart"]


def test_there_and_back_by_kubernetes(imported, to_kubernetes):  # noqa: F811
    objects = to_kubernetes(SHOP, PASSWORD="p").objects
    stack, losses = imported(all__yaml="---\n".join(map(render_yaml, objects)))
    web, db, migrate = (stack["services"][name] for name in ("web", "db", "migrate"))
    assert (web["entrypoint"], web["command"], web["image"]) == (("/entry",), ("serve", "$$HOME"), "web:1")
    assert web["environment"] == {"A": "b", "C": "x$$y"}
    assert web["ports"] == ("80:8000", "53:53/udp")
    assert (web["user"], web["read_only"], web["cap_drop"]) == ("1000:1000", True, ("ALL",))
    assert web["healthcheck"]["test"] == ("CMD", "check", "100%")
    assert web["networks"] == {"default": {"aliases": ("www",)}}
    assert web["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert web["deploy"]["resources"] == {"limits": {"cpus": "0.5", "memory": str(64 << 20)}}
    assert (db["volumes"], db["stop_grace_period"]) == (("data:/data",), "60s")
    assert migrate["restart"] == "on-failure"
    ((name, config),) = stack["configs"].items()
    assert (config, migrate["configs"]) == ({"content": "k=$$v"}, ({"source": name, "target": "/etc/conf"},))
    assert [secret["file"] for secret in stack["secrets"].values()] == [f"./{db['secrets'][0]['source']}"]
    assert not [loss for loss in losses if "has no counterpart" in loss and "NetworkPolicy" not in loss]


MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {MODE: fast, file.txt: "a"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {user: root, token: abc}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  serviceName: app
  template:
    metadata: {labels: {app: app}, annotations: {scrape: "true"}}
    spec:
      nodeSelector: {disk: ssd}
      initContainers: [{name: prepare, image: tool, args: [prepare]}]
      containers:
        - name: main
          image: app:1
          ports: [{name: http, containerPort: 8080}]
          envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}, prefix: P_}]
          env:
            - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
            - {name: TWICE, value: "$(TOKEN)"}
          readinessProbe: {httpGet: {path: /ready, port: http}, initialDelaySeconds: 5}
          livenessProbe: {exec: {command: [alive]}}
          resources: {requests: {cpu: 250m, memory: 1G}, limits: {memory: 1.5Gi}}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: scratch, mountPath: /scratch}
            - {name: conf, mountPath: /etc/app}
        - {name: proxy, image: proxy, volumeMounts: [{name: scratch, mountPath: /in, readOnly: true}]}
      volumes:
        - {name: scratch, emptyDir: {}}
        - {name: conf, configMap: {name: settings, items: [{key: file.txt, path: app.txt}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: fast}}]
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {type: NodePort, selector: {app: app}, ports: [{port: 80, targetPort: http, nodePort: 30080}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {containers: [{name: n, image: tool}]}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
"""


def test_manifests_of_others(imported):
    stack, losses = imported(k8s__yaml=MANIFEST)
    app, proxy = stack["services"]["app"], stack["services"]["app-proxy"]
    assert app["environment"] == {
        "MODE": "fast",
        "file.txt": "a",
        "P_user": "${P_user:?}",
        "P_token": "${P_token:?}",
        "TOKEN": "${TOKEN:?}",
        "TWICE": "$$(TOKEN)",
    }
    assert "abc" not in str(stack)
    assert app["healthcheck"]["test"] == ("CMD-SHELL", "wget -q -O /dev/null http://localhost:8080/ready")
    assert app["healthcheck"]["start_period"] == "5s"
    assert app["deploy"] == {
        "replicas": 2,
        "resources": {"limits": {"memory": "1.5g"}, "reservations": {"cpus": "0.25", "memory": "1000000000"}},
    }
    assert app["depends_on"] == {"app-prepare": {"condition": "service_completed_successfully"}}
    assert app["ports"] == ("30080:8080",)
    assert app["networks"] == {"default": {"aliases": ("api",)}}
    assert app["configs"] == ({"source": "settings-file-txt", "target": "/etc/app/app.txt"},)
    assert proxy["network_mode"] == "service:app"
    assert app["volumes"] == ("data-app:/data", "app-scratch:/scratch")
    assert proxy["volumes"] == ("app-scratch:/in:ro",)
    assert stack["services"]["nightly"]["image"] == "tool"
    told = "\n".join(losses)
    for words in (
        "annotations.scrape: programs of a cluster read it",
        "nodeSelector.disk: there is one machine",
        "livenessProbe: Compose has one health check",
        "env[1].value: $(NAME) is not replaced here",
        "volumeClaimTemplates[0]: becomes a volume",
        "schedule: nothing runs it at times",
        "a Ingress has no counterpart",
        "contents of Secrets are not copied",
    ):
        assert words in told, words
    assert [int(loss.partition(":")[0]) for loss in losses] == sorted(int(loss.partition(":")[0]) for loss in losses)


def test_there_and_back_by_quadlets(imported, source):
    units = to_quadlet(source).objects
    stack, losses = imported.files([(unit["name"], render_unit(unit)) for unit in units])
    web, db = stack["services"]["shop-web-1"], stack["services"]["shop-db-1"]
    assert (web["entrypoint"], web["command"]) == (("/entry",), ("serve", "$$HOME"))
    assert web["environment"] == {"A": "b", "C": "x$$y"}
    assert web["healthcheck"]["test"] == ("CMD", "check", "100%")
    assert (web["user"], web["read_only"], web["cap_drop"]) == ("1000:1000", True, ("ALL",))
    assert set(web["networks"]["shop-default"]["aliases"]) == {"web", "www"}
    assert web["depends_on"] == ("shop-db-1",)
    assert db["volumes"] == ("shop-data:/data",)
    assert stack["volumes"] == {"shop-data": {"name": "shop_data"}}
    assert all("its content is not copied" in loss for loss in losses)


UNIT = """
# a comment
[Unit]
Description=app
Requires=db.service network-online.target

[Container]
Image=app
Environment=A=1 "B=two words"
Environment=
Environment=C=%%3
Exec=run \\
  --all
PublishPort=8080:80
Volume=data.volume:/data:Z
Network=host
Secret=token,type=env,target=X
PodmanArgs=--cpus=2 --log-level=debug
HealthCmd=curl -f localhost
AutoUpdate=registry

[Service]
Restart=on-abnormal
ExecStartPre=/bin/prepare
"""


def test_quadlets_of_others(imported):
    stack, losses = imported(app__container=UNIT, data__volume="[Volume]\nDriver=local\n", x__pod="[Pod]\nPodName=x\n")
    assert stack["services"]["app"] == {
        "image": "app",
        "command": ("run", "--all"),
        "environment": {"C": "%3", "X": "${X:?}"},
        "ports": ("8080:80",),
        "volumes": ("data:/data:Z",),
        "network_mode": "host",
        "healthcheck": {"test": ("CMD-SHELL", "curl -f localhost")},
        "depends_on": ("db",),
        "restart": "on-failure",
        "cpus": "2",
    }
    assert stack["volumes"] == {"data": {"driver": "local"}}
    told = [loss.partition(": ")[2] for loss in losses]
    for words in (
        "PodName: a .pod unit has no counterpart",
        "Restart: becomes on-failure",
        "ExecStartPre: has no counterpart",
        "AutoUpdate: has no counterpart",
        "--log-level=debug has no counterpart",
        "set X in .env",
    ):
        assert any(words in loss for loss in told), (words, told)


@pytest.mark.parametrize("text", ["", "a: 1", "[]"])
def test_what_is_none_of_the_known_forms(text):
    with pytest.raises(UserError):
        convert([("file", text)])


def test_a_mistake_in_a_manifest_has_its_place():
    with pytest.raises(ComposeError) as caught:
        convert([("file.yaml", "a: [")])
    assert caught.value.diagnostics[0].span.path == "file.yaml"
