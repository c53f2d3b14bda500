"""Log drivers: who gets the lines of a container, and what ``logs`` shows of them."""

from __future__ import annotations

import os
import socket
import ssl

import pytest

from tests.driver.local.image.registry.real import OPENSSL, make_certificate
from tests.examples.conftest import eventually, needs_containers

pytestmark = needs_containers


@pytest.mark.parametrize("scheme", ["tcp", "tcp+tls"])
def test_lines_reach_syslog_and_can_be_read_too(write_stack, scheme):
    secured = scheme == "tcp+tls"
    if secured and not OPENSSL:
        pytest.skip("needs openssl")
    with socket.create_server(("127.0.0.1", 0)) as server:
        stack = write_stack(f"""
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "echo one; echo two >&2; exec sleep infinity"]
    init: true
    logging:
      driver: syslog
      options:
        syslog-address: "{scheme}://localhost:{server.getsockname()[1]}"
        {"syslog-tls-ca-cert: ./crt" if secured else ""}
        tag: "{{{{.Name}}}}/{{{{.ImageName}}}}"
""")
        server.settimeout(60)
        if secured:
            missing = stack.run("up", "-d", code=1).stderr
            assert f"syslog-tls-ca-cert: there is no file {stack.folder}/crt" in missing
            make_certificate(stack.folder)
        with stack.start("up", "-d") as up:
            connection, _ = server.accept()
            if secured:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(stack.folder / "crt", stack.folder / "key")
                connection = context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as lines:
                got = sorted((next(lines), next(lines)))
            assert up.wait(60) == 0
    assert got[0].startswith(b"<27>")
    assert b" stack-web-1/rootfs:/" in got[0]
    assert got[0].endswith(b": two\n")
    assert got[1].endswith(b": one\n")
    assert "one" in stack.run("logs", "--no-log-prefix").stdout


def test_a_dead_receiver_holds_nothing(write_stack):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    stack = write_stack(f"""
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "seq 1 50000; echo done"]
    logging: {{driver: syslog, options: {{syslog-address: "tcp://127.0.0.1:{port}"}}}}
""")
    stack.run("up", "-d")
    eventually(lambda: stack.states()["web"] == "exited")
    assert stack.run("logs", "--no-log-prefix", "--tail", "1").stdout == "done\n"
    supervisor = "".join(path.read_text() for path in stack.home.rglob("*.log") if "logs" not in path.parts)
    assert "the log receiver missed 50001 lines: Connection refused" in supervisor


def test_no_log_is_kept_where_the_file_says_so(write_stack):
    stack = write_stack("""
services:
  web: {image: "rootfs:BUSYBOX", command: [echo, hidden], logging: {driver: none}}
""")
    stack.run("up", "-d")
    eventually(lambda: stack.states()["web"] == "exited")
    shown = stack.run("logs")
    assert shown.stdout == ""
    assert "service web has the log driver none: no log is kept of it" in shown.stderr


def test_a_machine_without_a_journal_says_so(write_stack):
    stack = write_stack("""
services:
  web: {image: "rootfs:BUSYBOX", command: [echo, hidden], logging: {driver: journald}}
""")
    if os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("this machine has a journal")
    assert "log driver journald: this machine has no /run/systemd/journal/socket" in stack.run("up", code=1).stderr
