"""A file to Desired: what each part of it becomes."""

from __future__ import annotations

import json

import pytest

from orchestra.compose import render_config
from orchestra.errors import ComposeError, ComposeFileNotFound, UserError
from orchestra.model.codec import decode, encode
from orchestra.model.container import Condition, Dependency, HealthcheckSpec, Restart, RestartPolicy, VolumeSource
from orchestra.model.desired import Desired
from orchestra.model.limits import BlockIO, DeviceValue, Resources, Ulimit
from orchestra.model.logging import Logging
from orchestra.model.mount import BindMount, TmpfsMount, VolumeMount
from orchestra.model.sharing import Bare, Host, OfContainer, OfService, Own
from orchestra.model.update import FailureAction, Order, Update
from orchestra.model.user_namespace import Auto, KeepId, OfStack

SHOP = """\
services:
  web:
    image: rootfs:/
    command: serve --port 80
    ports: ["8080:80", "127.0.0.1:5353:53/udp"]
    environment: {LEVEL: "${LEVEL:-info}", SECRET: }
    depends_on: {store: {condition: service_healthy, restart: true}}
    volumes: [./data:/data, cache:/cache:ro, /tmp/anonymous]
    stop_grace_period: 1m30s
  store:
    image: oci:images/store:1.2
    healthcheck: {test: [CMD, ping], interval: 2s, retries: 5}
volumes: {cache: }
"""


def only(loaded, service="web"):
    (spec,) = loaded.desired.replicas(service)
    return spec


def test_a_simple_stack(folder):
    desired = folder.load(SHOP).desired
    web, store = desired.container("shop-web-1"), desired.container("shop-store-1")
    assert web is not None
    assert store is not None
    assert desired.stack == "shop"
    assert desired.services == ("store", "web")
    assert desired.project_directory == str(folder.path)
    assert desired.config_files == (str(folder / "compose.yaml"),)
    assert web.command == ("serve", "--port", "80")
    assert web.environment == {"LEVEL": "info"}
    assert web.depends_on == (Dependency("store", Condition.HEALTHY, restart=True),)
    assert web.stop_grace_period == 90.0
    assert (store.rank, web.rank) == (0, 1)
    assert store.healthcheck == HealthcheckSpec(("ping",), interval=2.0, retries=5)
    assert [(port.target, port.published, port.host_ip, port.protocol) for port in web.ports] == [
        (80, 8080, "", "tcp"),
        (53, 5353, "127.0.0.1", "udp"),
    ]
    assert web.mounts == (
        BindMount("/data", str(folder / "data"), create_host_path=True),
        VolumeMount("/cache", "shop_cache", read_only=True),
        VolumeMount("/tmp/anonymous"),
    )


def test_names_on_the_host_carry_the_stacks_name(folder):
    desired = folder.load(SHOP).desired
    assert [(network.key, network.name) for network in desired.networks] == [("default", "shop_default")]
    assert [(volume.key, volume.name) for volume in desired.volumes] == [("cache", "shop_cache")]
    assert [endpoint.aliases for endpoint in desired.containers[1].endpoints] == [("web", "shop-web-1")]


def test_image_paths_are_absolute_and_references_are_left_alone(folder):
    desired = folder.load(SHOP + "  \n").desired
    assert [image.reference for image in desired.images] == [f"oci:{folder / 'images/store'}:1.2", "rootfs:/"]
    other = (
        "services: {a: {image: 'registry.example/x:1'}, b: {image: 'rootfs:tree'},"
        " c: {image: 'docker-archive:~/i.tar'}}"
    )
    assert [image.reference for image in folder.load(other).desired.images] == [
        "registry.example/x:1",
        f"rootfs:{folder / 'tree'}",
        "docker-archive:/home/me/i.tar",
    ]


def test_everything_knows_its_place_in_the_file(folder):
    desired = folder.load(SHOP).desired
    web = desired.containers[1]
    assert web.location is not None
    assert (web.location.line, web.location.column) == (2, 3)
    assert [(port.location.line, port.location.column) for port in web.ports if port.location] == [(5, 13), (5, 24)]
    assert [(image.location.line, image.location.column) for image in desired.images if image.location] == [
        (11, 12),
        (3, 12),
    ]
    assert desired.volumes[0].location is not None
    assert (desired.volumes[0].location.line, desired.volumes[0].location.column) == (13, 11)


def test_the_result_survives_the_codec(folder):
    desired = folder.load(SHOP).desired
    assert decode(Desired, json.loads(json.dumps(encode(desired)))) == desired


def test_labels_are_those_that_other_tools_read(folder):
    labels = only(folder.load(SHOP)).labels
    assert labels["com.docker.compose.project"] == "shop"
    assert labels["com.docker.compose.service"] == "web"
    assert labels["com.docker.compose.container-number"] == "1"
    assert labels["com.docker.compose.oneoff"] == "False"
    assert labels["com.docker.compose.depends_on"] == "store:service_healthy:true"
    assert labels["com.docker.compose.project.working_dir"] == str(folder.path)
    assert labels["com.docker.compose.config-hash"] == only(folder.load(SHOP)).config_hash


@pytest.mark.parametrize(
    "change",
    [
        ("serve --port 80", "serve --port 81"),
        ("LEVEL:-info", "LEVEL:-debug"),
        ("8080:80", "8081:80"),
        ("cache:/cache:ro", "cache:/cache"),
        ("1m30s", "10s"),
        ("cache: }", "cache: {name: other}}"),
    ],
)
def test_a_changed_definition_has_another_hash_and_leaves_the_others_alone(folder, change):
    before = folder.load(SHOP)
    after = folder.load(SHOP.replace(*change))
    assert only(before).config_hash != only(after).config_hash
    assert only(before, "store").config_hash == only(after, "store").config_hash


@pytest.mark.parametrize(
    "more",
    [
        "    scale: 1\n",
        "    profiles: [x]\n",
        "    pull_policy: always\n",
        "    build: .\n",
        "    deploy: {replicas: 1, update_config: {parallelism: 2}}\n",
        "    depends_on: [b]\n",
        "    attach: false\n",
    ],
)
def test_what_does_not_change_the_container_does_not_change_its_hash(folder, more):
    text = "services:\n  b: {image: 'rootfs:/'}\n  a:\n    image: rootfs:/\n"
    plain, changed = folder.load(text), folder.load(text + more, profiles=("x",))
    assert only(plain, "a").config_hash == only(changed, "a").config_hash


def test_a_changed_secret_file_changes_the_hash_of_who_uses_it(folder):
    text = "services: {a: {image: x, secrets: [key]}, b: {image: x}}\nsecrets: {key: {file: ./key}}\n"
    folder.write("key", "one")
    before = folder.load(text)
    secret = BindMount("/run/secrets/key", str(folder / "key"), read_only=True, declared="secret key")
    assert only(before, "a").mounts == (secret,)
    folder.write("key", "two")
    after = folder.load(text)
    assert only(before, "a").config_hash != only(after, "a").config_hash
    assert only(before, "b").config_hash == only(after, "b").config_hash


def test_replicas_come_from_the_command_then_scale_then_deploy(folder):
    text = "services: {a: {image: x, deploy: {replicas: 2}}, b: {image: x, scale: 0}, c: {image: x}}"
    names = [spec.name for spec in folder.load(text, scale={"c": 2}).desired.containers]
    assert names == ["shop-a-1", "shop-a-2", "shop-c-1", "shop-c-2"]


def test_each_replica_takes_the_next_port_of_a_range(folder):
    loaded = folder.load("services: {a: {image: x, scale: 2, ports: ['9000-9001:80']}}")
    assert [spec.ports[0].published for spec in loaded.desired.containers] == [9000, 9001]
    assert loaded.warnings == ()


def test_replicas_share_a_host_port(folder):
    loaded = folder.load("services: {a: {image: x, scale: 2, ports: ['9000:80']}}")
    assert [spec.ports[0].published for spec in loaded.desired.containers] == [9000, 9000]
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("container_name: own", "it has a container_name"),
        ("network_mode: host", "it uses a network namespace that is not its own"),
        ("mac_address: '02:42:ac:11:65:43'", "it has a fixed address"),
        ("", None),
    ],
)
def test_an_order_of_updates_that_cannot_be_is_warned_of(folder, more, why):
    loaded = folder.load(
        "services: {a: {image: x, deploy: {update_config: {order: start-first, monitor: 2s, failure_action: rollback},"
        " rollback_config: {parallelism: 0}}, " + more + "}}"
    )
    spec = only(loaded, "a")
    assert spec.update == Update(1, 0.0, Order.START_FIRST, 2.0, 0.0, FailureAction.ROLLBACK)
    assert spec.rollback == Update(0)
    assert [warning.message for warning in loaded.warnings] == (
        [f"a is replaced stop-first, since {why}"] if why else []
    )


def test_limits_are_the_same_wherever_they_are_said(folder):
    short = "services: {a: {image: x, mem_limit: 64m, cpus: 0.5, pids_limit: 10, mem_reservation: 32m}}"
    long = (
        "services: {a: {image: x, deploy: {resources: {limits: {memory: 64m, cpus: '0.5', pids: 10},"
        " reservations: {memory: 32m}}}}}"
    )
    wanted = Resources(memory=64 * 2**20, memory_reservation=32 * 2**20, cpus=0.5, pids=10)
    assert only(folder.load(short), "a").resources == wanted
    assert only(folder.load(long), "a").resources == wanted


def test_every_limit_is_wanted(folder):
    text = """\
services:
  a:
    image: x
    cpu_period: 50ms
    cpu_quota: 20000
    cpu_rt_period: 400ms
    cpu_rt_runtime: 95000
    device_cgroup_rules: ["c 13:* rw"]
    mem_swappiness: 0
    oom_kill_disable: true
    blkio_config:
      weight: 300
      weight_device: [{path: /dev/sda, weight: 400}]
      device_read_bps: [{path: /dev/sda, rate: 1m}]
      device_read_iops: [{path: /dev/sda, rate: 10}]
      device_write_bps: [{path: /dev/sdb, rate: 2m}]
      device_write_iops: [{path: /dev/sdb, rate: 20}]
"""
    loaded = folder.load(text)
    assert loaded.not_applied == ()
    assert only(loaded, "a").resources == Resources(
        cpu_period=50_000,
        cpu_quota=20_000,
        realtime_period=400_000,
        realtime_runtime=95_000,
        device_rules=("c 13:* rw",),
        memory_swappiness=0,
        oom_kill_disable=True,
        block_io=BlockIO(
            weight=300,
            device_weights=(DeviceValue("/dev/sda", 400),),
            read_bytes=(DeviceValue("/dev/sda", 1 << 20),),
            read_operations=(DeviceValue("/dev/sda", 10),),
            write_bytes=(DeviceValue("/dev/sdb", 2 << 20),),
            write_operations=(DeviceValue("/dev/sdb", 20),),
        ),
    )


@pytest.mark.parametrize(
    ("attribute", "column", "said"),
    [
        ("cap_add: [kill, FOO]", 42, "'FOO' is not a capability"),
        ("cap_add: [NET_ADMIM]", 36, "did you mean NET_ADMIN?"),
        ("cap_drop: ['']", 37, "'' is not a capability"),
        ("expose: [http]", 35, "'http' is not a valid port to expose"),
        ("expose: [90-80]", 35, "'90-80' is not a valid port to expose"),
        ("expose: [70000]", 35, "'70000' is not a valid port to expose"),
        ("stop_grace_period: -1s", 45, "a duration cannot be negative"),
        ("cpuset: 0-", 34, "'0-' is not a valid list of CPUs"),
        ("cpuset: 3-1", 34, "'3-1' is not a valid list of CPUs"),
        ("mem_swappiness: 101", 42, "101 is not a valid swappiness"),
        ("cpu_rt_runtime: 2s", 42, "2000000 µs is negative, or longer than the period of 1000000 µs"),
        ("device_cgroup_rules: ['c 1 r']", 48, "'c 1 r' is not a valid device rule"),
        ("network_mode: sideways", 40, "network_mode sideways is not known"),
        ("network_mode: 'service:'", 40, "network_mode service: is not known"),
        ("pid: none", 31, "write private, host, service:NAME, container:NAME"),
        ("ipc: sideways", 31, "write private, shareable, none, host, service:NAME, container:NAME"),
        ("uts: 'container:x'", 31, "write private, host"),
        ("blkio_config: {weight: 5}", 49, "5 is not a valid weight"),
        ("blkio_config: {device_read_bps: [{path: /d, rate: -1}]}", 76, "a rate cannot be negative"),
    ],
)
def test_what_the_kernel_would_refuse_is_refused_at_its_place(folder, attribute, column, said):
    refused = folder.refused(f"services: {{a: {{image: x, {attribute}}}}}")
    assert f":1:{column}:" in refused
    assert said in refused


@pytest.mark.parametrize(
    "attribute",
    [
        "cap_add: [all, cap_kill, NET_ADMIN]",
        "expose: ['80', 80-90, 53/udp, '1:2', '${NOTHING-}', '${NOTHING-}/tcp']",
        "cpuset: '0,2-3'",
        "stop_grace_period: 0s",
        "mem_swappiness: -1",
    ],
)
def test_what_docker_compose_takes_is_taken(folder, attribute):
    assert folder.load(f"services: {{a: {{image: x, {attribute}}}}}").desired.containers


@pytest.mark.parametrize(
    ("attributes", "restart"),
    [
        ("image: x", Restart()),
        ("restart: always", Restart(RestartPolicy.ALWAYS)),
        ("restart: 'on-failure:3'", Restart(RestartPolicy.ON_FAILURE, 3)),
        ("restart: no", Restart(RestartPolicy.NO)),
        (
            "restart: always, deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
            Restart(RestartPolicy.ON_FAILURE, 2),
        ),
    ],
)
def test_the_restart_policy(folder, attributes, restart):
    text = f"services: {{a: {{{attributes if 'image' in attributes else 'image: x, ' + attributes}}}}}"
    assert only(folder.load(text), "a").restart == restart


@pytest.mark.parametrize(
    ("healthcheck", "check", "is_disabled"),
    [
        ("{test: curl localhost}", HealthcheckSpec(("/bin/sh", "-c", "curl localhost")), False),
        ("{test: [CMD-SHELL, 'a b'], timeout: 5s}", HealthcheckSpec(("/bin/sh", "-c", "a b"), timeout=5.0), False),
        (
            "{test: [CMD, a, b], start_period: 1m, start_interval: 1s}",
            HealthcheckSpec(("a", "b"), start_period=60.0, start_interval=1.0),
            False,
        ),
        ("{interval: 2s, retries: 5}", HealthcheckSpec(interval=2.0, retries=5), False),
        ("{test: [NONE]}", None, True),
        ("{disable: true}", None, True),
    ],
)
def test_the_healthcheck(folder, healthcheck, check, is_disabled):
    spec = only(folder.load(f"services: {{a: {{image: x, healthcheck: {healthcheck}}}}}"), "a")
    assert spec.healthcheck == check
    assert spec.healthcheck_disabled is is_disabled


@pytest.mark.parametrize(
    ("attributes", "policy"),
    [
        ("a: ", "missing"),
        ("pull_policy: if_not_present", "missing"),
        ("pull_policy: always", "always"),
        ("pull_policy: daily", "daily"),
        ("pull_policy: every_1w2d", "every_1w2d"),
        ("pull_policy: refresh, pull_refresh_after: 90m", "every_5400s"),
        ("pull_policy: refresh", "missing"),
    ],
)
def test_the_pull_policy(folder, attributes, policy):
    more = "" if attributes == "a: " else f", {attributes}"
    desired = folder.load(f"services: {{a: {{image: x{more}}}}}").desired
    assert [image.pull_policy for image in desired.images] == [policy]


@pytest.mark.parametrize("more", ["", ", pull_policy: build", ", pull_policy: always"])
def test_a_name_that_only_a_build_gives_is_asked_of_no_registry(folder, more):
    (image,) = folder.load(f"services: {{web: {{build: .{more}}}}}").desired.images
    assert image.pull_policy == "build"


@pytest.mark.parametrize("policy", ["sometimes", "every_", "every_soon", "every_0s"])
def test_what_is_no_pull_policy_is_refused(folder, policy):
    with pytest.raises(ComposeError) as caught:
        folder.load(f"services: {{a: {{image: x, pull_policy: {policy}}}}}")
    assert f"'{policy}' is not a valid pull policy" in str(caught.value)


def test_the_environment_says_which_platform_when_the_service_does_not(folder):
    text = "services: {a: {image: x}, b: {image: x, platform: linux/amd64}}"
    desired = folder.load(text, environment={"DOCKER_DEFAULT_PLATFORM": "linux/arm64"}).desired
    assert {image.key for image in desired.images} == {"x (linux/arm64)", "x (linux/amd64)"}


def test_links_are_dependencies_and_aliases(folder):
    desired = folder.load("services: {web: {image: x, links: ['db:database']}, db: {image: x}}").desired
    web, db = desired.container("shop-web-1"), desired.container("shop-db-1")
    assert web is not None
    assert db is not None
    assert web.depends_on == (Dependency("db", restart=True),)
    assert db.endpoints[0].aliases == ("db", "shop-db-1", "database")


def test_a_shared_network_is_a_dependency_and_has_no_endpoints(folder):
    desired = folder.load("services: {a: {image: x, network_mode: 'service:b'}, b: {image: x}}").desired
    a = desired.container("shop-a-1")
    assert a is not None
    assert (a.network_mode, a.endpoints, a.rank) == (OfService("b"), (), 1)
    assert a.depends_on == (Dependency("b", restart=True),)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("", (Own(), Own(), Own(), Own())),
        ("network_mode: bridge, pid: private, ipc: shareable, uts: private", (Own(), Own(), Own(), Own())),
        ("network_mode: host, pid: host, ipc: host, uts: host", (Host(), Host(), Host(), Host())),
        ("network_mode: none, pid: 'container:db', ipc: none", (Bare(), OfContainer("db"), Bare(), Own())),
        ("network_mode: 'container:db', ipc: 'service:b'", (OfContainer("db"), Own(), OfService("b"), Own())),
    ],
)
def test_whose_namespaces_a_service_shares(folder, attributes, expected):
    spec = only(folder.load(f"services: {{a: {{image: x, {attributes}}}, b: {{image: x}}}}"), "a")
    assert (spec.network_mode, spec.pid, spec.ipc, spec.uts) == expected


def test_a_network_is_made_only_when_it_is_used(folder):
    text = "services: {a: {image: x, network_mode: none}}\nnetworks: {front: }\nvolumes: {v: }\n"
    desired = folder.load(text).desired
    assert (desired.networks, desired.volumes) == ((), ())


def test_networks_come_in_the_order_of_their_priority(folder):
    text = (
        "services: {a: {image: x, networks: {one: {priority: 1, ipv4_address: 10.9.0.5}, two: {priority: 5}}}}\n"
        "networks: {one: {ipam: {config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.1}]}},"
        " two: {name: real, external: true}}\n"
    )
    loaded = folder.load(text)
    assert [endpoint.network for endpoint in only(loaded, "a").endpoints] == ["real", "shop_one"]
    one, two = loaded.desired.networks
    assert (one.subnet, one.gateway, one.external) == ("10.9.0.0/24", "10.9.0.1", False)
    assert (two.name, two.external) == ("real", True)


def test_smaller_settings(folder):
    folder.write("a.env", "A=1\nB=${A}\nC=${HOME}\n")
    spec = only(
        folder.load(
            """\
services:
  a:
    image: x
    entrypoint: ""
    logging: {driver: local, options: {max-size: 10m, max-file: "3"}}
    tmpfs: /run:size=64m,mode=1777
    ulimits: {nofile: {soft: 10, hard: 20}, nproc: 5}
    extra_hosts: {b: 10.0.0.1}
    devices: [/dev/fuse]
    shm_size: 1g
    init: true
    container_name: fixed
    env_file: a.env
    environment: [B=own]
"""
        ),
        "a",
    )
    assert spec.name == "fixed"
    assert spec.entrypoint == ()
    assert spec.command is None
    assert spec.logging == Logging("local", 10 * 2**20, 3)
    assert spec.mounts == (TmpfsMount("/run", options=("size=64m", "mode=1777")),)
    assert spec.ulimits == (Ulimit("nofile", 10, 20), Ulimit("nproc", 5, 5))
    assert spec.extra_hosts == (("b", "10.0.0.1"),)
    assert spec.devices[0].target == "/dev/fuse"
    assert (spec.shm_size, spec.init) == (2**30, True)
    assert spec.environment == {"A": "1", "B": "own", "C": "/home/me"}


def test_volumes_from_takes_the_mounts_of_another_service(folder):
    text = (
        "services: {a: {image: x, volumes_from: ['b:ro']}, b: {image: x, volumes: ['v1:/d'], tmpfs: /t}}\n"
        "volumes: {v1: }\n"
    )
    assert only(folder.load(text), "a").mounts == (VolumeMount("/d", "shop_v1", read_only=True),)


def test_volumes_from_names_containers_too(folder):
    text = "services: {a: {image: x, volumes_from: ['container:db:ro', b]}, b: {image: x, volumes: [/own]}}"
    spec = only(folder.load(text), "a")
    assert spec.mounts == ()
    assert spec.volumes_from == (VolumeSource(OfContainer("db"), read_only=True), VolumeSource(OfService("b")))


def test_what_has_no_effect_is_named_and_kept(folder):
    loaded = folder.load("services: {a: {image: x, storage_opt: {size: 1g}, isolation: hyperv, cpu_count: 1}}")
    assert [item.subject for item in loaded.not_applied] == [
        "services.a.storage_opt",
        "services.a.isolation",
        "services.a.cpu_count",
    ]
    assert {item.code for item in loaded.not_applied} == {"not-applied"}
    assert '"size": "1g"' in render_config(loaded.stack, "json")


def test_profiles_and_the_selection_with_its_dependencies(folder):
    text = "services: {a: {image: x, depends_on: [b]}, b: {image: x}, c: {image: x}, d: {image: x, profiles: [extra]}}"

    def names(**changes):
        return [spec.service for spec in folder.load(text, **changes).desired.containers]

    assert names() == ["b", "c", "a"]
    assert names(profiles=("extra",)) == ["b", "c", "d", "a"]
    assert names(profiles=("*",)) == ["b", "c", "d", "a"]
    assert names(environment={"COMPOSE_PROFILES": "extra"}) == ["b", "c", "d", "a"]
    assert names(services=("a",)) == ["b", "a"]
    assert names(services=("d",)) == ["d"]
    assert folder.load(text).desired.services == ("a", "b", "c", "d")


def test_a_service_that_does_not_exist_cannot_be_selected(folder):
    with pytest.raises(UserError, match="no such service: wbe") as caught:
        folder.load(SHOP, services=("wbe",))
    assert caught.value.hint == "did you mean web?"


def test_no_file_is_an_error_of_its_own(folder):
    with pytest.raises(ComposeFileNotFound) as caught:
        folder.load(files=("missing.yaml", "absent.yaml"))
    assert caught.value.exit_code == 14
    told = [diagnostic.message for diagnostic in caught.value.diagnostics]
    assert told == [f"{folder.path}/{name} does not exist" for name in ("missing.yaml", "absent.yaml")]


def test_inputs_are_all_that_the_result_depended_on(folder):
    inputs = folder.load(SHOP).inputs
    assert inputs.files[str(folder / ".env")] is None
    assert len(inputs.files[str(folder / "compose.yaml")] or "") == 64
    assert inputs.files[str(folder / "compose.override.yml")] is None
    assert inputs.variables["LEVEL"] is None
    assert inputs.variables["SECRET"] is None
    assert inputs.is_repeatable


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({}, {"a", "b"}),
        ({"environment": {"COMPOSE_PROFILES": ""}}, {"a", "b"}),
        ({"environment": {"COMPOSE_PROFILES": ",d"}}, {"a", "b", "c"}),
        ({"environment": {"COMPOSE_PROFILES": "d"}}, {"b", "c"}),
        ({"profiles": ("",)}, {"a", "b"}),
        ({"profiles": ("d",)}, {"b", "c"}),
    ],
)
def test_a_profile_whose_name_is_empty_is_one(folder, changes, active):
    text = "services:\n  a: {image: x, profiles: ['']}\n  b: {image: x}\n  c: {image: x, profiles: [d]}\n"
    assert set(folder.load(text, **changes).stack.services) == active


@pytest.mark.parametrize(
    ("text", "restart"),
    [
        ("restart: on-failure:0", Restart(RestartPolicy.ON_FAILURE)),
        ("restart: on-failure:2", Restart(RestartPolicy.ON_FAILURE, 2)),
        (
            "deploy: {restart_policy: {condition: any, max_attempts: 3, delay: 5s, window: 2m}}",
            Restart(RestartPolicy.ALWAYS, 3, 5.0, 120.0),
        ),
        ("restart: always\n    deploy: {restart_policy: {delay: 5s}}", Restart(RestartPolicy.ALWAYS, None, 5.0)),
        ("restart: on-failure:2\n    deploy: {restart_policy: {condition: none}}", Restart()),
    ],
)
def test_restart_policies(text, restart, folder):
    assert only(folder.load(f"services:\n  a:\n    image: x\n    {text}\n"), "a").restart == restart


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("host", OfStack()),
        ("''", OfStack()),
        ("keep-id", KeepId()),
        ("keep-id:uid=7,gid=8", KeepId(7, 8)),
        ("auto", Auto()),
        ("auto:size=3000", Auto(3000)),
    ],
)
def test_modes_of_user_namespaces(text, wanted, folder):
    loaded = folder.load(f"services:\n  a:\n    image: x\n    userns_mode: {text}\n")
    assert only(loaded, "a").user_namespace == wanted


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("userns_mode: nomap", "4:18: 'nomap' is not a valid user namespace mode"),
        ("userns_mode: keep-id:size=3", "4:18: 'size' is not an option of the user namespace mode keep-id"),
        ("userns_mode: auto:size=many", "4:18: size of the user namespace mode auto is 'many'"),
        ("userns_mode: auto\n    privileged: true", "5:17: a container with userns_mode auto cannot be privileged"),
        ("userns_mode: auto\n    cap_add: [CAP_NET_ADMIN]", "5:14: the capability NET_ADMIN has no effect"),
        ("userns_mode: keep-id\n    runtime: runc", "5:14: userns_mode keep-id works only with the built-in runtime"),
    ],
)
def test_what_a_user_namespace_cannot_be_is_refused(text, refusal, folder):
    assert f"compose.yaml:{refusal}" in folder.refused(f"services:\n  a:\n    image: x\n    {text}\n")
