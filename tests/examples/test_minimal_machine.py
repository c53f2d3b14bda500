"""A machine that has hardly anything: in /dev no links to open files and no shm, no HOME, and /var/tmp read-only."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

from tests.examples.conftest import eventually, free_port, needs_containers

pytestmark = needs_containers

STACK = """
services:
  web:
    image: "rootfs:/"
    command: [python3, -m, http.server, "80", --directory, /sys/kernel/security]
    stop_signal: SIGKILL
    healthcheck: {{test: [CMD, "true"], interval: 1s}}
    ports: ["127.0.0.1:{port}:80"]
"""
STRIP = """
set -e
mount --make-rprivate /
mkdir "$1/dev" "$1/empty"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$1/dev/${device%:*}" c 1 "${device#*:}"
done
mount --rbind "$1/dev" /dev
mount --bind -o ro "$1/empty" /var/tmp
cd "$1"
unset HOME TMPDIR XDG_RUNTIME_DIR
python=$2; shift 2
for words; do
  "$python" -m orchestra -f stack/compose.yaml $words
done
"""


def test_a_published_port_needs_no_dev_stdin_and_a_stack_no_other_comfort(write_stack, tmp_path):
    port = free_port()
    stack = write_stack(STACK.format(port=port))
    inner = ["sh", "-c", STRIP, "sh", str(tmp_path), sys.executable]
    command = ["unshare", "--mount", *inner, "up -d --wait", "ps", "exec -T web true", "doctor"]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # doctor may miss something on this machine
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr, done.stderr + stack.trouble()

    def answers() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
            return reply.status == 200

    assert eventually(answers)


def test_signals_that_the_caller_ignores_are_not_ignored_in_containers(write_stack):
    stack = write_stack('services: {web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL}}')
    up = [sys.executable, "-m", "orchestra", "-f", str(stack.file), "up", "-d"]
    ignoring = ["sh", "-c", "trap '' HUP INT QUIT TERM USR1; exec \"$@\"", "sh"]
    subprocess.run([*ignoring, *up], env=stack.environment, capture_output=True, check=True)
    for name in ("/proc/1/status", "/proc/self/status"):
        status = stack.run("exec", "-T", "web", "cat", name).stdout
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
        assert ignored & ~(1 << 31 | 1 << 32) == 0, hex(ignored)  # signals 32 and 33 are libc's own
