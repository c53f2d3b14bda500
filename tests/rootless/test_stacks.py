"""Stacks of a user without root, by the command as the user types it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from tests.driver.local.image.making import OCI, Made, directory, entry, layer, link
from tests.driver.local.image.registry.faulty import Registry, serving
from tests.engine_api.client import ASK
from tests.plain import BEYOND, ELSEWHERE, LIMIT, SOURCES
from tests.ports import free_port
from tests.shim.conftest import eventually
from tests.traces.receiver import receiving

pytestmark = pytest.mark.timeout(600)

STACK = """
services:
  web:
    image: rootfs:../tree
    command: sh -c "echo hello from web > /tmp/index.html; exec httpd -f -p 80 -h /tmp"
    ports: ["127.0.0.1:{port}:80"]
    stop_signal: SIGKILL
    healthcheck: {{test: ["CMD", "wget", "-qO-", "http://127.0.0.1/"], interval: 1s}}
  client:
    image: rootfs:../tree
    command: sh -c "id; wget -qO- http://web/; exec sleep 1000"
    stop_grace_period: 1s
    user: "1000:1000"
    depends_on: {{web: {{condition: service_healthy}}}}
  inner:
    image: rootfs:../tree
    command: sleep 1000
    stop_grace_period: 1s
    networks: [closed]
    volumes: ["data:/data"]
networks:
  closed: {{internal: true}}
volumes:
  data:
"""


PYTHON = os.path.realpath(sys.executable)
ECHO = "import socket; s = socket.socket(type=2); s.bind(('', 53)); [s.sendto(*s.recvfrom(99)) for _ in iter(int, 1)]"


def echoed(port, number):
    """What comes back from a client of its own; None if the server is not there yet."""
    with socket.socket(type=socket.SOCK_DGRAM) as client, suppress(OSError):
        client.settimeout(1)
        client.connect(("127.0.0.1", port))
        client.send(str(number).encode())
        return client.recv(99)


def fetch(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return answer.read().decode()


def answers(port):
    with suppress(OSError):
        return fetch(port) == "hello from web\n"
    return False


def test_a_stack_lives_as_with_root_and_leaves_nothing(make_plain):
    plain, port = make_plain(), free_port()
    plain.write(STACK.format(port=port))
    plain.orchestra("up", "-d")

    said = eventually(lambda: "hello from web" in (logs := plain.orchestra("logs", "client").stdout) and logs)
    assert "uid=1000(web) gid=1000" in said
    assert fetch(port) == "hello from web\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=10)

    inside = plain.orchestra("exec", "web", "cat", "/proc/self/uid_map").stdout.split()
    assert inside[:6] == ["0", str(plain.uid), "1", "1", str(BEYOND), "65536"]
    plain.orchestra("exec", "inner", "sh", "-c", "touch /data/x && chown 1000:1000 /data/x")
    assert os.stat(f"{plain.home.volumes}/stack_data/_data/x").st_uid == BEYOND + 999
    address = plain.orchestra("exec", "web", "ip", "-4", "-o", "addr", "show", "eth0").stdout.split()[3].split("/")[0]
    plain.orchestra("exec", "client", "nc", "-w", "5", address, "80")
    plain.orchestra("exec", "inner", "nc", "-w", "5", address, "80", code=1)
    assert plain.orchestra("plan").stdout.strip() == "nothing to do"
    plain.orchestra("cp", "web:/tmp/index.html", f"{plain.path}/stack/copy")
    assert os.stat(f"{plain.path}/stack/copy").st_uid == plain.uid
    plain.orchestra("restart", "web")
    eventually(lambda: answers(port))

    volume = f"{plain.home.volumes}/stack_data/_data"
    assert plain.orchestra("unshare", "stat", "-c", "%u %g", f"{volume}/x").stdout == "1000 1000\n"
    plain.orchestra("unshare", "sh", "-c", f"chown 0:0 {volume}/x; exit 7", code=7)
    assert os.stat(f"{volume}/x").st_uid == plain.uid
    said = plain.orchestra("unshare", "nosuchprogram", code=1).stderr
    assert "error: nosuchprogram: there is no such program" in said
    check_that_others_reach_nothing(plain)
    check_what_root_sees(plain)

    plain.orchestra("down", "-v")
    eventually(lambda: not plain.processes(), 60)


def check_that_others_reach_nothing(plain):
    """What a container of one user leaves in a volume, or opens, is not for another one."""
    plain.orchestra("exec", "inner", "sh", "-c", "cp /bin/busybox /data/own && chmod 6755 /data/own")
    own = f"{plain.home.volumes}/stack_data/_data/own"
    assert os.stat(own).st_mode & 0o7777 == 0o6755
    other = plain.uid + 50
    assert "Permission denied" in plain.run(own, "id", uid=other).stderr
    for path in (f"{plain.home.rootless}/relay.sock", plain.home.stack("stack").control_socket):
        assert "Permission denied" in plain.run("stat", path, uid=other).stderr
    inside = plain.orchestra("exec", "web", "sh", "-c", "ls /proc; cat /proc/sysrq-trigger /proc/kcore; id").stdout
    assert not [pid for name, pids in plain.processes().items() if name.startswith("orchestra") for pid in pids
                if str(pid) in inside.split()]  # fmt: skip
    assert inside.endswith("uid=0(root) gid=0 groups=0\n")


def check_what_root_sees(plain):
    words = ["nsenter", "-t", str(plain.place.pid), "-m", sys.executable, "-m", "orchestra", "ls", "--all-users"]
    environment = {**os.environ, "ORCHESTRA_HOME": str(plain.path / "root"), "PYTHONPATH": str(SOURCES)}
    seen = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=LIMIT)
    (row,) = [line.split() for line in seen.stdout.splitlines() if f"{plain.path}/" in line]
    assert row == ["plain", "stack", "running(3)", f"{plain.path}/stack/compose.yaml"], seen
    assert "only root may look" in plain.orchestra("ls", "--all-users", code=1).stderr


def test_metrics_are_served_and_traces_are_sent_outside_the_network_of_the_home(make_plain):
    plain, port = make_plain(), free_port()
    plain.write("services: {web: {image: rootfs:../tree, command: sleep 1000}}")
    with receiving() as (address, spans, _resources):
        plain.variables.append(f"OTEL_EXPORTER_OTLP_ENDPOINT={address}")
        assert "warning: the trace" not in plain.orchestra("up", "-d").stderr
    assert "start container/stack-web-1" in spans
    plain.run("sh", "-c", f"{sys.executable} -m orchestra metrics --listen 127.0.0.1:{port} &")

    def scrape():
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT) as answer:
            return answer.read().decode()
        return ""

    found = eventually(scrape, 60)
    assert 'orchestra_service_running_containers{stack="stack",service="web"} 1' in found
    assert 'orchestra_container_processes{stack="stack",service="web",container="stack-web-1"' in found


def test_every_process_may_be_killed(make_plain):
    plain, port = make_plain(), free_port()
    plain.write(STACK.format(port=port))
    plain.orchestra("up", "-d", "web")
    for name in ("orchestra-super", "orchestra-keepe", "orchestra-fork"):
        gone = min(plain.processes()[name])  # a zygote has the fork server's name
        os.kill(gone, signal.SIGKILL)
        eventually(lambda name=name, gone=gone: min(plain.processes().get(name, [gone])) != gone, 60)
        assert eventually(lambda: answers(port), 60), plain.logs()
        assert "healthy" in plain.orchestra("ps").stdout
    plain.orchestra("down")
    eventually(lambda: not plain.processes(), 60)


@pytest.mark.parametrize("gone", ["containers/stack-web-1", ""])
def test_a_container_whose_directory_is_removed_is_ended_or_found_again(make_plain, gone):
    plain, port = make_plain(), free_port()
    plain.write(STACK.format(port=port))
    plain.orchestra("up", "-d", "web", "inner")
    own = plain.orchestra("exec", "inner", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout
    # At once, or the supervisor would make files in it again meanwhile.
    os.rename(f"{plain.home.stack('stack').run}/{gone}".rstrip("/"), plain.path / "removed")
    shutil.rmtree(plain.path / "removed")
    # Without the stack's whole directory the keeper may end just now: the first command may meet what it leaves behind.
    code = 0 if gone else None
    eventually(lambda: plain.orchestra("up", "-d", "web", "inner", code=code).returncode == 0 and answers(port), 60)
    if gone:
        again = plain.orchestra("exec", "inner", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout
        assert again == own, "the neighbour goes on"
    plain.orchestra("down", "-v")
    eventually(lambda: not plain.processes(), 60)


@pytest.mark.parametrize("comes_up", [True, False], ids=["up", "down"])
def test_when_the_run_directory_is_removed_containers_are_ended_and_begun_anew(make_plain, comes_up):
    plain, port = make_plain(), free_port()
    plain.write(STACK.format(port=port))
    plain.orchestra("up", "-d", "web", "inner")
    lost = plain.processes()["httpd"]
    plain.run("rm", "-rf", plain.home.run)
    if comes_up:
        plain.orchestra("up", "-d", "web", "inner")
        assert eventually(lambda: answers(port), 60)
        assert len(now := plain.processes()["httpd"]) == 1
        assert now != lost
    plain.orchestra("down", "-v", "-t", "0")
    eventually(lambda: not plain.processes(), 60)


def test_a_container_is_found_again_by_its_root_if_the_file_that_names_its_process_is_damaged(make_plain):
    plain = make_plain()
    plain.write("services: {one: {image: 'rootfs:../tree', command: sleep 1000, network_mode: host}}")
    plain.orchestra("up", "-d")
    before = plain.processes()
    Path(plain.home.stack("stack").container("stack-one-1"), "state.json").write_text("{")
    os.kill(before["orchestra-super"][0], signal.SIGKILL)
    assert "Started" not in plain.orchestra("up", "-d").stderr
    assert plain.orchestra("exec", "-T", "one", "echo", "ok").stdout == "ok\n"
    assert plain.processes()["sleep"] == before["sleep"]
    plain.orchestra("down", "-t", "0")
    eventually(lambda: not plain.processes(), 60)


def test_rules_that_are_flushed_come_back_and_an_internal_network_leaks_nothing(make_plain):
    plain, port = make_plain(), free_port()
    plain.write(STACK.format(port=port))
    plain.orchestra("up", "-d", "web", "inner")
    shown = plain.orchestra("exec", "web", "ip", "-4", "-o", "addr", "show", "eth0").stdout.split()
    address = shown[3].split("/")[0]
    rules = plain.orchestra("unshare", "nft", "list", "ruleset").stdout
    assert "_stack {" in rules
    plain.orchestra("unshare", "nft", "flush", "ruleset")
    eventually(lambda: plain.orchestra("unshare", "nft", "list", "ruleset").stdout == rules, 60)
    for target in (f"{address} 80", f"127.0.0.1 {port}"):
        plain.orchestra("exec", "inner", "nc", "-w", "2", *target.split(), code=1)
    assert fetch(port) == "hello from web\n"
    plain.orchestra("down", "-v")


def test_containers_in_the_hosts_network_and_built_images(make_plain):
    plain, port = make_plain(), free_port()
    plain.write(
        f"""
services:
  host:
    image: rootfs:../tree
    network_mode: host
    command: sh -c "echo hello from web > /tmp/index.html; exec httpd -f -p {port} -h /tmp"
  datagrams:
    image: rootfs:/
    command: ["{PYTHON}", "-c", "{ECHO}"]
    ports: ["127.0.0.1:{port}:53/udp"]
    volumes: ["{sys.base_prefix}:{sys.base_prefix}:ro"]
  none:
    image: rootfs:../tree
    network_mode: none
    command: sleep 1000
  made:
    build:
      context: ../tree
      dockerfile_inline: |
        FROM scratch
        COPY . /
        RUN id > /tmp/id && chown 1000:1000 /tmp/id
        CMD ["sleep", "1000"]
"""
    )
    plain.orchestra("up", "-d")
    eventually(lambda: answers(port))
    assert {eventually(lambda number=number: echoed(port, number)) for number in range(3)} == {b"0", b"1", b"2"}
    assert "eth" not in plain.orchestra("exec", "none", "ip", "addr").stdout
    assert plain.orchestra("exec", "made", "stat", "-c", "%u %g", "/tmp/id").stdout == "1000 1000\n"
    plain.orchestra("down", "-t", "0")
    eventually(lambda: not plain.processes(), 60)


def test_a_container_asks_the_api_of_its_stack_also_after_the_supervisor_was_killed(make_plain):
    plain = make_plain()
    plain.write(
        f"""
services:
  client:
    image: rootfs:/
    command: sleep 1000
    use_api_socket: true
    volumes: ["{sys.base_prefix}:{sys.base_prefix}:ro"]
"""
    )
    plain.orchestra("up", "-d")

    def asked():
        words = ("exec", "-T", "client", PYTHON, "-c", ASK, "GET", "/containers/json")
        return plain.run(sys.executable, "-m", "orchestra", *words).stdout

    assert "/stack-client-1" in asked()
    (gone,) = plain.processes()["orchestra-super"]
    os.kill(gone, signal.SIGKILL)
    eventually(lambda: plain.processes().get("orchestra-super", [gone]) != [gone], 60)
    eventually(lambda: "/stack-client-1" in asked(), 60)
    plain.orchestra("down")
    eventually(lambda: not plain.processes(), 60)


def test_the_hosts_own_tree_as_an_image(make_plain):
    plain = make_plain()
    plain.write(
        "services:\n  own:\n    image: rootfs:/\n    command: sh -c 'id -u && touch /usr/new && ls /usr/bin/env'\n"
    )
    assert "own-1  | 0\nown-1  | /usr/bin/env\n" in plain.orchestra("up").stdout
    assert not os.path.exists("/usr/new")
    plain.orchestra("down")


def test_the_demo_runs_without_root(make_plain):
    done = make_plain().run(sys.executable, str(SOURCES / "examples/demo.py"))
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "ok: no process, mount, interface or cgroup is left\n" in done.stdout


def test_what_is_missing_is_told_once_and_the_rest_works(make_plain):
    plain, port = make_plain(ids=False, programs=("nft", "env", "sh")), free_port()
    plain.write(STACK.format(port=port))
    told = plain.orchestra("up", "-d", "web", "inner").stderr
    assert "warning: containers have no user but root, since user plain has no ranges in /etc/subuid" in told
    outside = "neither pasta nor slirp4netns is installed (sudo apt install"
    assert f"warning: containers reach nothing outside this machine: {outside}" in told
    assert fetch(port) == "hello from web\n"
    again = plain.orchestra("up", "-d", "client", code=1).stderr
    assert "warning" not in again
    assert "user 1000:1000: without root, containers have no such id here" in again
    facts = plain.orchestra("doctor").stdout
    assert "sudo usermod --add-subuids" in facts
    assert (
        "sudo apt install passt on Debian and Ubuntu, sudo dnf install passt on Fedora, sudo pacman -S passt on Arch"
        in facts
    )
    plain.orchestra("down", "-v")


@pytest.mark.parametrize(("program", "gateway"), [("pasta", "198.51.100.1"), ("slirp4netns", "10.0.2.2")])
def test_a_way_out_is_found_and_ends_with_the_last_stack(make_plain, program, gateway):
    if shutil.which(program) is None:
        pytest.skip(f"needs the program {program}")
    plain = make_plain(uplink=True, programs=("nft", "env", "sh", "newuidmap", "newgidmap", program))
    plain.write("services:\n  one:\n    image: rootfs:../tree\n    command: sleep 1000\n")
    plain.orchestra("up", "-d")
    assert [name for name in plain.processes() if name.startswith(program[:3])], plain.logs()
    keeper = plain.processes()["orchestra-keepe"][0]
    shown = ["nsenter", "-t", str(keeper), "-n", "ip", "route"]
    assert subprocess.run(shown, capture_output=True, text=True).stdout.startswith(f"default via {gateway} ")
    assert "plain:x:" in plain.orchestra("exec", "one", "wget", "-qO-", f"http://{ELSEWHERE}/passwd").stdout
    plain.orchestra("down", "-t", "0")
    eventually(lambda: not plain.processes(), 60)


def test_a_way_out_of_an_earlier_network_ends_with_the_next_one(make_plain):
    """All is killed but pasta, as if the keeper had died while it started that: nothing knows its number."""
    if shutil.which("pasta") is None:
        pytest.skip("needs the program pasta")
    plain = make_plain(uplink=True)
    plain.write("services:\n  one:\n    image: rootfs:../tree\n    command: sleep 1000\n")
    plain.orchestra("up", "-d")

    def ways_out():
        return [pid for name, pids in plain.processes().items() if name.startswith("pas") for pid in pids]

    (before,) = ways_out()
    eventually(lambda: not [os.kill(pid, signal.SIGKILL) for pids in plain.processes().values()
                            for pid in pids if pid != before])  # fmt: skip
    plain.orchestra("up", "-d")
    (now,) = ways_out()
    assert now != before
    assert "plain:x:" in plain.orchestra("exec", "one", "wget", "-qO-", f"http://{ELSEWHERE}/passwd").stdout
    plain.orchestra("down", "-t", "0")
    eventually(lambda: not plain.processes(), 60)


def test_the_doctor_says_that_the_user_may_have_no_network_devices(make_plain):
    assert "sudo chmod 666 /dev/net/tun" in make_plain(tunnels=False).orchestra("doctor").stdout
    assert "/dev/net/tun" not in make_plain().orchestra("doctor").stdout


def test_an_image_is_pulled(make_plain):
    plain, made = make_plain(), Made()
    busybox = Path(shutil.which("busybox")).read_bytes()
    programs = [directory("bin"), entry("bin/sh", content=busybox, mode=0o755), link("bin/id", "sh")]
    files = layer(*programs, entry("owned", uid=33, gid=34))
    with serving(Registry()) as registry:
        config = {"User": "33", "Cmd": ["sh", "-c", "id -u"]}
        reference = registry.put(made, made.image([files], config=config, layer_type=f"{OCI}.layer.v1.tar"))
        plain.write(f"services:\n  one:\n    image: {reference}\n")
        assert "one-1  | 33\n" in plain.orchestra("up").stdout
    plain.orchestra("down")
    (owned,) = Path(plain.home.snapshots).rglob("owned")
    assert (owned.stat().st_uid, owned.stat().st_gid) == (BEYOND + 32, BEYOND + 33)
