"""What becomes of each part of a file in units of Podman."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestra.errors import UserError
from orchestra.translation.targets import target
from tests.compose import corpora
from tests.translation.conftest import told
from tests.translation.generator import check
from tests.translation.test_losses import everything, projects  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from orchestra.translation.result import Translation

WEB = "services: {web: {image: web, %s}}"


def unit(translation: Translation, name: str) -> dict[str, dict[str, list[str]]]:
    sections: dict[str, dict[str, list[str]]] = next(
        item["sections"] for item in translation.objects if item["name"] == name
    )
    return sections


def box(translation: Translation, name: str = "stack-web-1.container") -> dict[str, list[str]]:
    return unit(translation, name)["Container"]


@pytest.fixture
def units(convert):
    def units(text, **environment):
        return convert(text, "quadlet", **environment)

    return units


def test_a_dependent_is_started_after_what_it_needs_is_healthy(units):
    done = units(
        "services: {web: {image: w, depends_on: {db: {condition: service_healthy, restart: true}}},"
        " db: {image: d, healthcheck: {test: [CMD, ping, -q], interval: 5s}}}"
    )
    assert unit(done, "stack-web-1.container")["Unit"]["Requires"] == ["stack-db-1.service"]
    assert unit(done, "stack-web-1.container")["Unit"]["After"] == ["stack-db-1.service"]
    assert box(done, "stack-db-1.container")["Notify"] == ["healthy"]
    assert box(done, "stack-db-1.container")["HealthCmd"] == ['["ping", "-q"]']
    assert told(done) == {}


def test_a_job_ends_before_its_dependents_start(units):
    done = units(
        "services: {migrate: {image: m, restart: always}, web: {image: w, depends_on: "
        "{migrate: {condition: service_completed_successfully, required: false}}}}"
    )
    job = unit(done, "stack-migrate-1.container")["Service"]
    assert (job["Type"], job["RemainAfterExit"], job["Restart"]) == (["oneshot"], ["yes"], ["on-failure"])
    assert unit(done, "stack-web-1.container")["Unit"]["Wants"] == ["stack-migrate-1.service"]


def test_each_container_is_a_unit_with_a_port_of_its_own(units):
    done = units(WEB % "scale: 2, ports: ['8080-8081:80', '127.0.0.1:9000:9000']")
    assert box(done, "stack-web-1.container")["PublishPort"] == ["8080:80/tcp", "127.0.0.1:9000:9000/tcp"]
    assert box(done, "stack-web-2.container")["PublishPort"] == ["8081:80/tcp"]
    assert told(done) == {"services.web.ports[1].published": "approximated"}


@pytest.mark.parametrize(
    ("said", "service", "start_limit"),
    [
        ("restart: always", ["always"], ["0"]),
        ("restart: unless-stopped", ["always"], ["0"]),
        ("restart: 'no'", None, None),
        ("restart: on-failure:3", ["on-failure"], ["infinity"]),
        ("deploy: {restart_policy: {condition: any, max_attempts: 2, window: 60s}}", ["always"], ["1m0s"]),
    ],
)
def test_restarts(units, said, service, start_limit):
    made = unit(units(WEB % said), "stack-web-1.container")
    assert made["Service"].get("Restart") == service
    assert made["Unit"].get("StartLimitIntervalSec") == start_limit


def test_systemd_replaces_nothing_in_commands_and_variables(units):
    made = box(units(WEB % """command: [sh, -c, 'echo $$HOME "50%"'], environment: {A: "x $$y\\nz"}"""))
    assert made["Exec"] == [r'sh -c "echo $$HOME \"50%%\""']
    assert made["Environment"] == [r'"A=x $$y\nz"']


def test_a_value_that_would_end_its_line_is_refused(units):
    with pytest.raises(UserError, match="unit file"):
        units(WEB % r'hostname: "a\nExec=b"')


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres:17", "docker.io/library/postgres:17"),
        ("grafana/loki", "docker.io/grafana/loki"),
        ("registry.example:5000/a", "registry.example:5000/a"),
        ("localhost/a", "localhost/a"),
    ],
)
def test_images_have_the_name_of_a_registry(units, image, name):
    assert box(units(WEB.replace("image: web, %s", f'image: "{image}"')))["Image"] == [name]


def test_secrets_are_stored_by_podman_under_their_content(units):
    done = units(
        "services: {web: {image: w, secrets: [{source: token, uid: '7', mode: 0440}], configs: [settings]}}\n"
        "secrets: {token: {environment: TOKEN}}\nconfigs: {settings: {content: a}}",
        TOKEN="one",
    )
    (token, settings) = box(done)["Secret"][1], box(done)["Secret"][0]
    assert token.endswith(",type=mount,target=/run/secrets/token,uid=7,mode=440")
    assert settings.endswith(",type=mount,target=/settings")
    name = token.partition(",")[0]
    assert done.files[f"{name}.secret"] == b"one"
    assert {loss.subject: loss.hint for loss in done.losses}[
        "secrets.token"
    ] == f"podman secret create {name} {name}.secret"


def test_mounts(units):
    volumes = "['data:/data:ro', '/srv/x:/x', {type: volume, source: data, target: /part, volume: {subpath: a}}]"
    made = unit(
        units(WEB % f"volumes: {volumes}, tmpfs: ['/run:size=2m']" + "\nvolumes: {data: }"), "stack-web-1.container"
    )
    assert made["Container"]["Volume"] == ["stack-data.volume:/data:ro", "/srv/x:/x"]
    assert made["Container"]["Mount"] == ["type=volume,source=stack-data.volume,destination=/part,subpath=a"]
    assert made["Container"]["Tmpfs"] == ["/run:size=2097152"]
    assert made["Service"]["ExecStartPre"] == ["-mkdir -p /srv/x"]


def test_one_network_of_another_container(units):
    done = units("services: {vpn: {image: v}, web: {image: w, network_mode: 'service:vpn'}}")
    assert box(done)["Network"] == ["stack-vpn-1.container"]


def test_networks(units):
    done = units(
        WEB
        % "networks: {back: {aliases: [shop], ipv4_address: 10.9.0.5}, theirs: }"
        + "\nnetworks: {back: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.1}]}},"
        " theirs: {external: true, name: other}}"
    )
    assert box(done)["Network"] == ["stack-back.network:alias=web,alias=shop,ip=10.9.0.5", "other:alias=web"]
    assert unit(done, "stack-back.network")["Network"] == {
        "NetworkName": ["stack_back"],
        "Internal": ["true"],
        "Subnet": ["10.9.0.0/24"],
        "Gateway": ["10.9.0.1"],
    }


def test_all_in_one_text_each_unit_has_its_name(units):
    text = target("quadlet").render(units(WEB % "init: true"), "yaml")
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# FileName=stack-default",
        "# FileName=stack-web-1",
    ]


@corpora.needed
def test_the_generator_takes_the_units_of_real_files(projects, everything):  # noqa: F811
    files, translate = target("quadlet").files, target("quadlet").translate
    for _name, source in [*projects, ("everything", everything)]:
        translation = translate(source)
        check(translation, files(translation))
