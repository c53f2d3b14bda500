"""From ``pre_start``, ``post_start`` and ``pre_stop`` in the file to hooks and init containers."""

from __future__ import annotations

from orchestra.model.container import Restart
from orchestra.model.hook import Hook

SERVICE = """
services:
  web:
    image: app
    command: serve
    environment: {A: "1"}
    restart: always
    healthcheck: {test: check}
    ports: ["8080:80"]
    networks: {default: {aliases: [www], ipv4_address: 10.1.0.5}}
    HOOKS
networks: {default: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}
"""


def load(folder, hooks: str, **options):
    return folder.load(SERVICE.replace("HOOKS", hooks), **options).desired


def test_commands_users_directories_and_variables(folder):
    desired = load(
        folder,
        "post_start:\n"
        "      - {command: sh -c 'echo hi', user: 0, privileged: true, working_dir: /x, environment: [B=2, C]}\n"
        "    pre_stop: [{command: [bye]}]",
    )
    (web,) = desired.containers
    assert web.post_start == (Hook(("sh", "-c", "echo hi"), "0", True, "/x", {"B": "2"}),)
    assert web.pre_stop == (Hook(("bye",)),)


def test_a_hook_without_a_command_is_refused_at_its_place(folder):
    text = "services: {web: {image: app, pre_start: [{user: x}], post_start: [{command: a}, {user: x}]}}"
    assert folder.refused(text).startswith("error: compose.yaml:1:81: post_start[1] has no command [missing-key]")


def test_each_kind_of_hook_is_part_of_the_definition(folder):
    texts = ["", *(f"{kind}: [{{command: x}}]" for kind in ("pre_start", "post_start", "pre_stop"))]
    hashes = [load(folder, text).containers[0].config_hash for text in (*texts, "pre_stop: [{command: y}]")]
    assert len(set(hashes)) == len(hashes)


def test_init_containers_are_like_their_service_without_what_is_its_own(folder):
    desired = load(
        folder,
        "pre_start:\n"
        "      - {command: migrate, image: tool, user: root, environment: {B: '2'}}\n"
        "      - {command: own, per_replica: true}",
    )
    (web,) = desired.containers
    shared, own = web.pre_start
    assert (shared.name, own.name) == ("shop-web-pre_start-0", "shop-web-1-pre_start-1")
    assert (shared.index, shared.step, own.step, shared.initializes) == (0, 0, 1, "shop-web-1")
    assert (shared.image, own.image) == ("tool", "app")
    assert (shared.command, shared.user, shared.environment) == (("migrate",), "root", {"A": "1", "B": "2"})
    assert (shared.restart, shared.healthcheck, shared.ports, shared.pre_start) == (Restart(), None, (), ())
    (endpoint,) = shared.endpoints
    assert (endpoint.aliases, endpoint.ipv4_address, endpoint.reserved) == ((shared.name,), "", ("10.1.0.5",))
    assert shared.labels["com.docker.compose.hook"] == "pre_start"
    assert "com.docker.compose.container-number" not in shared.labels
    assert [image.reference for image in desired.images] == ["app", "tool"]
    assert set(web.image_keys) == {"app", "tool"}


def test_replicas_share_those_that_are_not_for_each(folder):
    text = "services: {web: {image: app, scale: 2, pre_start: [{command: a}, {command: b, per_replica: true}]}}"
    first, second = folder.load(text).desired.containers
    assert [init.name for init in first.pre_start] == ["shop-web-pre_start-0", "shop-web-1-pre_start-1"]
    assert [init.name for init in second.pre_start] == ["shop-web-pre_start-0", "shop-web-2-pre_start-1"]
    assert [init.initializes for init in second.pre_start] == ["shop-web-1", "shop-web-2"]
