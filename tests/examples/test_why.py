"""``why`` on real containers that have gone wrong in many ways at once."""

from __future__ import annotations

import json
import socket
import struct

from tests.examples.conftest import eventually, needs_containers
from tests.ports import free_port

pytestmark = needs_containers

FILE = """
x-base: &base {image: "rootfs:/", stop_signal: SIGKILL}
services:
  ok: {<<: *base, command: sleep 1000}
  job: {<<: *base, command: "true"}
  busy: {<<: *base, command: "sh -c \\"echo 'bind() failed (98: Address already in use)' >&2; exit 3\\""}
  absent: {<<: *base, command: no-such-program}
  oom:
    <<: *base
    mem_limit: 16m
    memswap_limit: 16m
    command: ["sh", "-c", "x=x; while :; do x=$$x$$x; done"]
  db:
    <<: *base
    command: sleep 1000
    healthcheck: {test: "echo no answer; exit 1", interval: 100ms, retries: 2}
  web: {<<: *base, command: sleep 1000, depends_on: {db: {condition: service_healthy}}}
  front: {<<: *base, command: sleep 1000, depends_on: [web]}
  misspelt: {<<: *base, command: ["sh", "-c", "echo getaddrinfo ENOTFOUND dbb; exit 1"]}
  far: {<<: *base, command: ["sh", "-c", "echo \\"bad address 'lonely'\\"; exit 1"]}
  lonely: {<<: *base, command: sleep 1000, networks: [other]}
  missing: {<<: *base, image: "oci:./nowhere"}
  port: {<<: *base, command: sleep 1000, ports: ["127.0.0.1:${PORT}:80"]}
  optional: {<<: *base, profiles: [more]}
networks: {other: }
"""

CAUSES = {
    "busy": ("busy-1", "it wants a port that another program uses"),
    "absent": ("absent-1", "no-such-program"),
    "oom": ("oom-1", "needed more memory than its limit of 16 MiB (it used 1"),
    "db": ("db-1", "is unhealthy: echo no answer; exit 1 failed"),
    "web": ("db-1", "is unhealthy"),
    "front": ("db-1", "is unhealthy"),
    "misspelt": ("misspelt-1", "does not find the name dbb"),
    "far": ("far-1", "does not find the name lonely"),
    "missing": ("image/oci:", "does not exist"),
    "port": ("port-1", "in use"),
}


def test_the_first_cause_of_each_of_many_faults_is_named(write_stack):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        stack = write_stack(FILE, PORT=str(port))
        stack.run("up", "-d", code=1)
        eventually(lambda: stack.states()["oom"] == "exited")
        found = {each["service"]: each for each in json.loads(stack.run("why", "--format", "json", code=1).stdout)}
    assert found.keys() == CAUSES.keys()
    for service, (subject, words) in CAUSES.items():
        cause = found[service]["cause"]
        assert subject in cause["subject"], service
        assert words in cause["what"], service
    assert found["misspelt"]["cause"]["hint"] == "did you mean db?"
    assert "share no network" in found["far"]["cause"]["hint"]

    told = stack.run("why", "front", "ok", code=1).stdout
    assert told.startswith(f"front: because {stack.folder.name}-db-1 is unhealthy")
    assert f"{stack.folder.name}-ok-1 has been running for" in told
    for quiet in ("ok", "job", "optional"):
        stack.run("why", quiet)
    assert "did you mean" in stack.run("why", "fronte", code=1).stderr

    stack.write(FILE.replace("no answer; exit 1", "fine now"))
    stack.run("up", "-d", "--no-deps", "db")
    stack.write(FILE.replace("no answer; exit 1", "worse than ever; exit 4"))
    stack.run("up", "-d", "--no-deps", "--wait", "db", code=1)
    told = stack.run("why", "db", code=1).stdout
    assert "revision 3 (root: up db) changed it:" in told
    assert "healthcheck.test" in told


OTHER_MACHINE = 243
"""RISC-V, in the numbers of elf(5)."""
MORE = """
x-base: &base {image: "rootfs:/", stop_signal: SIGKILL, networks: [one]}
services:
  c126: {<<: *base, command: ["sh", "-c", "/etc/passwd"]}
  c127: {<<: *base, command: ["sh", "-c", "no-such-command"]}
  segv: {<<: *base, command: ["sh", "-c", "kill -SEGV $$$$"], init: true}
  term: {<<: *base, command: ["sh", "-c", "kill $$$$"], init: true}
  kill: {<<: *base, command: ["sh", "-c", "kill -KILL $$$$"], init: true}
  silent: {<<: *base, command: ["sh", "-c", "exit 9"]}
  loop: {<<: *base, command: ["sh", "-c", "exit 1"], restart: always}
  readonly: {<<: *base, command: [touch, /x], read_only: true}
  full: {<<: *base, command: [dd, if=/dev/zero, of=/small/x, bs=1k, count=999], tmpfs: ["/small:size=64k"]}
  pids:
    <<: *base
    pids_limit: 5
    command:
      - python3
      - -c
      - import threading as t; [t.Thread(None, t.Event().wait, daemon=True).start() for i in range(9)]
  cap: {<<: *base, command: [chown, "1:1", /small], cap_drop: [ALL], tmpfs: [/small]}
  call: {<<: *base, command: [unshare, -m, "true"]}
  denied: {<<: *base, command: [cat, /etc/shadow], user: "1234"}
  foreign: {<<: *base, command: [/foreign], volumes: ["./foreign:/foreign"]}
  directive: {<<: *base, command: ["sh", "-c", "echo nginx: [emerg] unknown directive lisen >&2; exit 1"]}
  user: {<<: *base, command: sleep 9, user: nobody-here}
  mount:
    <<: *base
    command: sleep 9
    volumes: [{type: bind, source: ./nothing, target: /data, bind: {create_host_path: false}}]
  task: {<<: *base, command: ["sh", "-c", "exit 7"]}
  afterwards: {<<: *base, command: sleep 9, depends_on: {task: {condition: service_completed_successfully}}}
  image: {<<: *base, image: "127.0.0.1:1/app"}
  lacking: {<<: *base, command: sleep 9, depends_on: [image]}
  slow: {<<: *base, command: sleep 999, healthcheck: {test: sleep 9, timeout: 100ms, interval: 100ms, retries: 1}}
  throttled: {<<: *base, command: ["sh", "-c", "while :; do :; done"], cpus: 0.05}
  variable: {<<: *base, command: ["sh", "-c", ": $${DB_URL:?is not set}"]}
  device: {<<: *base, command: sleep 9, devices: [/dev/nothing]}
  refused: {<<: *base, command: [python3, -c, "import socket; socket.create_connection(('127.0.0.1', 1))"]}
  file: {<<: *base, command: [cat, /no/such/file]}
  files: {<<: *base, command: [python3, -c, "x = [open('/dev/null') for i in range(99)]"], ulimits: {nofile: 20}}
  module: {<<: *base, command: [python3, -c, "import nothing"]}
  volume: {<<: *base, command: sleep 9, volumes: ["gone:/data"]}
  directory: {<<: *base, command: [/etc]}
  paused: {<<: *base, command: sleep 999}
networks: {one: }
volumes: {gone: {external: true, name: nowhere}}
"""

MORE_CAUSES = {
    "c126": ("c126-1", "its shell may not execute a command", ""),
    "c127": ("c127-1", "its shell does not find a command", ""),
    "segv": ("segv-1", "with SIGSEGV", ""),
    "term": ("term-1", "by SIGTERM", ""),
    "kill": ("kill-1", "by SIGKILL", ""),
    "silent": ("silent-1", "with exit code 9", ""),
    "loop": ("loop-1", "is in a crash loop: it ended ", ""),
    "readonly": ("readonly-1", "read-only", "its root is read_only"),
    "full": ("full-1", "has no space left", "/small is a tmpfs"),
    "pids": ("pids-1", "has as many processes as it may", "raise pids_limit, which is 5"),
    "cap": ("cap-1", "may not do what it tries", "cap_drop takes ALL from it"),
    "call": ("call-1", "may not do what it tries", "cap_add and security_opt"),
    "denied": ("denied-1", "may not do what it tries", "it runs as user 1234"),
    "foreign": ("foreign-1", "Exec format error", "architecture"),
    "directive": ("directive-1", "does not understand its configuration", ""),
    "user": ("user-1", "'nobody-here' does not exist", "/etc/passwd"),
    "mount": ("mount-1", "nothing, to be mounted at /data, does not exist", "create it"),
    "task": ("task-1", "with exit code 7", ""),
    "afterwards": ("task-1", "with exit code 7", ""),
    "image": ("image/127.0.0.1:1/app", "cannot be reached", ""),
    "lacking": ("image/127.0.0.1:1/app", "cannot be reached", ""),
    "slow": ("slow-1", "timed out", ""),
    "throttled": ("throttled-1", "its limit of processors holds it back", "raise cpus"),
    "variable": ("variable-1", "lacks a variable", ""),
    "device": ("device-1", "/dev/nothing does not exist", ""),
    "refused": ("refused-1", "is refused by", ""),
    "file": ("file-1", "does not find a file", ""),
    "files": ("files-1", "has as many files open as it may", ""),
    "module": ("module-1", "does not find a module", ""),
    "volume": ("volume/nowhere", "not found", "external"),
    "directory": ("directory-1", "Permission denied", "not an executable file"),
    "paused": ("paused-1", "is paused", "unpause"),
}


def test_the_first_cause_of_faults_of_every_kind_is_named(write_stack):
    stack = write_stack(MORE)
    foreign = stack.folder / "foreign"
    header = struct.pack("<HHIQQQIHHHHHH", 2, OTHER_MACHINE, 1, 0, 0, 0, 0, 64, 56, 0, 0, 0, 0)
    foreign.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + header)
    foreign.chmod(0o755)
    stack.run("up", "-d", code=1)
    stack.run("pause", "paused")

    def explained():
        found = json.loads(stack.run("why", "--format", "json", code=1).stdout)
        by_service = {each["service"]: each["cause"] for each in found}
        loop = by_service.get("loop", {"what": "it runs at this moment"})
        ready = "crash loop" in loop["what"] and "throttled" in by_service and "slow" in by_service
        return ready and by_service

    found = eventually(explained)
    wrong = {
        service: found.get(service)
        for service, (subject, what, hint) in MORE_CAUSES.items()
        if service not in found
        or subject not in found[service]["subject"]
        or what not in found[service]["what"]
        or hint not in found[service]["hint"]
    }
    assert wrong == {}
    eventually(lambda: ", restart " in stack.containers()["loop"]["Status"])
