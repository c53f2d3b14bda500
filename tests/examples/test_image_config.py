"""What an image's configuration does to real containers, by itself and together with the file."""

from __future__ import annotations

import json

import pytest

from tests.driver.local.image.making import ARCHITECTURE, Made, directory, entry
from tests.examples.conftest import eventually
from tests.examples.images import busybox, busybox_layer, needs_busybox

pytestmark = needs_busybox

SECOND = 1_000_000_000
CHECK = {
    "Test": ["CMD-SHELL", "echo looked; test -e /tmp/well"],
    "Interval": SECOND // 5,
    "Retries": 2,
    "StartPeriod": 60 * SECOND,
    "StartInterval": SECOND // 20,
}
SERVE = ["sh", "-c", "trap 'exit 0' TERM; touch $WELL; sleep 1000 & wait"]


def check_of(stack, service):
    return stack.containers()[service]["Health"]


def test_the_healthcheck_of_an_image_is_what_others_wait_for(write_stack, tmp_path):
    image = busybox(tmp_path / "image", {"Cmd": SERVE, "Healthcheck": CHECK})
    stack = write_stack(f"""
services:
  db: {{image: "{image}", environment: {{WELL: /tmp/well}}}}
  web: {{image: "{image}", environment: {{WELL: /tmp/well}}, depends_on: {{db: {{condition: service_healthy}}}}}}
""")
    assert "created; db is healthy" in stack.run("plan", code=2).stdout
    stack.run("up", "-d", "--wait")
    assert stack.containers()["db"]["Health"] == "healthy"
    assert "(healthy)" in stack.run("ps").stdout
    assert stack.run("plan").stdout == "nothing to do\n"


def test_settings_of_the_file_go_over_those_of_the_image(write_stack, tmp_path):
    image = busybox(tmp_path / "image", {"Cmd": SERVE, "Healthcheck": CHECK})
    stack = write_stack(f"""
services:
  sick: {{image: "{image}", environment: {{WELL: /tmp/other}}, healthcheck: {{start_period: 1ms, interval: 100ms}}}}
  other: {{image: "{image}", environment: {{WELL: /tmp/other}}, healthcheck: {{test: test -e /tmp/other}}}}
  off: {{image: "{image}", environment: {{WELL: /tmp/other}}, healthcheck: {{disable: true}}}}
  none: {{image: "{image}", environment: {{WELL: /tmp/other}}, healthcheck: {{test: [NONE]}}}}
""")
    stack.run("up", "-d")
    assert eventually(lambda: check_of(stack, "sick") == "unhealthy")
    assert eventually(lambda: check_of(stack, "other") == "healthy")
    assert check_of(stack, "off") == check_of(stack, "none") == ""


def test_an_image_that_is_unhealthy_fails_what_waits_for_it(write_stack, tmp_path):
    check = {**CHECK, "StartPeriod": 0}
    image = busybox(tmp_path / "image", {"Cmd": SERVE, "Healthcheck": check})
    stack = write_stack(f"""
services:
  db: {{image: "{image}", environment: {{WELL: /tmp/other}}}}
  web: {{image: "{image}", environment: {{WELL: /tmp/well}}, depends_on: {{db: {{condition: service_healthy}}}}}}
""")
    assert "dependency failed to start: container stack-db-1 is unhealthy" in stack.run("up", "-d", code=1).stderr


def test_waiting_for_health_without_a_check_is_an_error(write_stack, tmp_path):
    image = busybox(tmp_path / "image", {"Cmd": SERVE})
    stack = write_stack(f"""
services:
  db: {{image: "{image}", environment: {{WELL: /tmp/well}}, healthcheck: {{interval: 1s}}}}
  web: {{image: "{image}", environment: {{WELL: /tmp/well}}, depends_on: {{db: {{condition: service_healthy}}}}}}
""")
    assert "container stack-db-1 has no healthcheck configured" in stack.run("up", "-d", code=1).stderr


ACCOUNTS = [
    entry("etc/passwd", content=b"root:x:0:0::/root:/bin/sh\napp:x:1000:50::/srv/app:/bin/sh\n"),
    entry("etc/group", content=b"root:x:0:\nstaff:x:50:\nextra:x:60:app\nother:x:70:\n"),
    directory("srv"),
    directory("srv/app", uid=1000, gid=50),
    directory("data"),
    entry("data/seed", content=b"from the image\n", uid=1000, gid=50),
]


@pytest.mark.parametrize(
    ("image", "service", "output"),
    [
        ({"Entrypoint": ["echo", "a"], "Cmd": ["b"]}, "", "a b"),
        ({"Entrypoint": ["echo", "a"], "Cmd": ["b"]}, "command: [c]", "a c"),
        ({"Entrypoint": ["false"], "Cmd": ["b"]}, "entrypoint: [echo, d]", "d"),
        ({"Entrypoint": ["false"], "Cmd": ["b"]}, "entrypoint: [echo, d], command: [e]", "d e"),
        ({"Entrypoint": ["false"], "Cmd": ["echo", "b"]}, "entrypoint: []", "b"),
        ({"Entrypoint": ["echo"], "Cmd": ["b"]}, "command: []", ""),
        ({"Cmd": ["sh", "-c", "echo $A $B"], "Env": ["A=1", "B=2"]}, "environment: {B: 3}", "1 3"),
        ({"Cmd": ["sh", "-c", "echo $PATH"], "Env": ["PATH=/bin:/own"]}, "", "/bin:/own"),
        ({"Cmd": ["pwd"], "WorkingDir": "/srv/made/here"}, "", "/srv/made/here"),
        ({"Cmd": ["pwd"], "WorkingDir": "/srv"}, "working_dir: /tmp", "/tmp"),
        ({"Cmd": ["sh", "-c", "id -u; id -g; id -G; echo $HOME"], "User": "app"}, "", "1000\n50\n50 60\n/srv/app"),
        ({"Cmd": ["sh", "-c", "id -u; id -g; id -G"], "User": "app:other"}, "", "1000\n70\n70"),
        ({"Cmd": ["sh", "-c", "id -u; id -g; id -G"], "User": "1000"}, "", "1000\n50\n50 60"),
        ({"Cmd": ["sh", "-c", "id -u; id -g; id -G"], "User": "app"}, "user: '0'", "0\n0\n0"),
        ({"Cmd": ["sh", "-c", "id -G"], "User": "app"}, "group_add: [other, '99']", "50 60 70 99"),
        ({"Cmd": ["sh", "-c", "cat /data/seed; stat -c %u:%g /data/seed"], "Volumes": {"/data": {}}}, "",
         "from the image\n1000:50"),
        ({"Cmd": ["ls", "/data"], "Volumes": {"/data": {}}}, "tmpfs: /data", ""),
        ({"Cmd": ["ls", "/data"]}, "volumes: [/data]", "seed"),
        ({"Cmd": ["ls", "/data"]}, "volumes: [{type: volume, target: /data, volume: {nocopy: true}}]", ""),
    ],
)  # fmt: skip
def test_what_the_image_says_is_completed_by_the_file_as_docker_does(write_stack, tmp_path, image, service, output):
    reference = busybox(tmp_path / "image", image, *ACCOUNTS)
    stack = write_stack(f'services:\n  one: {{image: "{reference}"{", " if service else ""}{service}}}\n')
    stack.run("up", "-d")
    ended = eventually(lambda: (row := stack.containers()["one"])["State"] == "exited" and row)
    assert stack.run("logs", "--no-log-prefix", "one").stdout.rstrip("\n") == output
    assert ended["ExitCode"] == 0


def test_the_stop_signal_of_an_image_ends_its_containers(write_stack, tmp_path):
    script = "trap 'echo image; exit 0' USR1; trap 'echo file; exit 0' USR2; trap : TERM; while :; do sleep 0.05; done"
    reference = busybox(tmp_path / "image", {"Cmd": ["sh", "-c", script], "StopSignal": "SIGUSR1"})
    stack = write_stack(f"""
services:
  own: {{image: "{reference}"}}
  said: {{image: "{reference}", stop_signal: SIGUSR2}}
""")
    stack.run("up", "-d")
    with stack.start("up", stdout=-1, stderr=-2) as attached:
        assert eventually(lambda: "Attaching" in attached.stdout.readline())
        attached.send_signal(2)
        out, _ = attached.communicate(timeout=30)
    assert "image" in out
    assert "file" in out


def test_labels_of_an_image_are_annotations_beneath_those_of_the_file(write_stack, tmp_path):
    labels = {"org.example.a": "image", "org.example.b": "image"}
    reference = busybox(tmp_path / "image", {"Cmd": ["sleep", "100"], "Labels": labels})
    stack = write_stack(f"""
services:
  one: {{image: "{reference}", labels: {{org.example.b: file}}, stop_signal: SIGKILL}}
""")
    stack.run("up", "-d")
    (config,) = stack.home.glob("run/stacks/*/containers/*/config.json")
    annotations = json.loads(config.read_text())["annotations"]
    assert (annotations["org.example.a"], annotations["org.example.b"]) == ("image", "file")


@pytest.mark.parametrize(("user", "word"), [("nobody-here", "user 'nobody-here'"), ("app:none", "group 'none'")])
def test_a_user_that_the_image_does_not_know_is_an_error_that_names_it(write_stack, tmp_path, user, word):
    reference = busybox(tmp_path / "image", {"Cmd": ["true"], "User": user}, *ACCOUNTS)
    stack = write_stack(f'services:\n  one: {{image: "{reference}"}}\n')
    assert f"{word} does not exist in the image" in stack.run("up", "-d", code=1).stderr


def test_ports_that_are_only_exposed_are_listed_behind_those_that_are_published(write_stack, tmp_path):
    ports = {"80/tcp": {}, "443": {}, "53/udp": {}}
    reference = busybox(tmp_path / "image", {"Cmd": ["sleep", "100"], "ExposedPorts": ports})
    stack = write_stack(f"""
services:
  one: {{image: "{reference}", stop_signal: SIGKILL, expose: ["9000", "443"], ports: ["127.0.0.1::80"]}}
""")
    stack.run("up", "-d")
    row = stack.containers()["one"]
    published, *exposed = row["Ports"].split(", ")
    assert published.endswith("->80/tcp")
    assert exposed == ["9000/tcp", "443/tcp", "53/udp"]
    assert row["Publishers"][1] == {"URL": "", "TargetPort": 9000, "PublishedPort": 0, "Protocol": "tcp"}


@pytest.mark.parametrize("more", ["command: ['true']", "network_mode: none", "network_mode: host"])
def test_exposed_ports_are_listed_of_what_can_be_reached_only(write_stack, tmp_path, more):
    reference = busybox(tmp_path / "image", {"Cmd": ["sleep", "100"], "ExposedPorts": {"80/tcp": {}}})
    stack = write_stack(f"""
services:
  one:
    image: "{reference}"
    stop_signal: SIGKILL
    {more}
  other:
    image: "{reference}"
    stop_signal: SIGKILL
    depends_on: {{one: {{condition: service_{"completed_successfully" if "true" in more else "started"}}}}}
""")
    stack.run("up", "-d")
    rows = stack.containers()
    assert rows["one"]["Ports"] == ""
    assert rows["one"]["Publishers"] == []
    assert rows["other"]["Ports"] == "80/tcp"


def test_another_platform_is_another_image_and_replaces_the_container(write_stack, tmp_path):
    made = Made()
    manifests = []
    for architecture in (ARCHITECTURE, "riscv64"):  # the program is this machine's in both
        layer = busybox_layer(entry("platform", content=architecture.encode()))
        image = made.image([layer], config={"Cmd": ["sleep", "100"]}, architecture=architecture)
        manifests.append({**image, "platform": {"os": "linux", "architecture": architecture}})
    reference = made.name(made.index(*manifests)).write(tmp_path / "image")
    stack = write_stack(f'services:\n  one: {{image: "{reference}", stop_signal: SIGKILL}}\n')
    stack.run("up", "-d")
    assert stack.run("exec", "-T", "one", "cat", "/platform").stdout == ARCHITECTURE
    stack.environment["DOCKER_DEFAULT_PLATFORM"] = f"linux/{ARCHITECTURE}"
    assert stack.run("plan").stdout == "nothing to do\n"
    stack.environment["DOCKER_DEFAULT_PLATFORM"] = "linux/riscv64"
    assert "(linux/riscv64)" in stack.run("plan", code=2).stdout
    stack.run("up", "-d")
    assert stack.run("exec", "-T", "one", "cat", "/platform").stdout == "riscv64"
    assert stack.run("plan").stdout == "nothing to do\n"
