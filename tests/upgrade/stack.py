"""The stack whose recorded states are read: it uses much of what a file may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "upgrade"
FILE = """
services:
  db:
    image: "rootfs:/"
    command: [sleep, infinity]
    init: true
    stop_signal: SIGKILL
    environment: {MODE: safe, EMPTY: ""}
    volumes: ["data:/data", "/scratch", "/etc:/conf:ro"]
    healthcheck: {test: [CMD, "true"], interval: 1s, retries: 3, start_period: 2s}
    networks: {inside: {aliases: [database]}}
    configs: [settings]
    secrets: [{source: token, target: /run/token, mode: 0400}]
    ulimits: {nofile: 1024}
    cap_drop: [NET_RAW]
    labels: {team: blue}
    restart: always
    mem_limit: 64m
  web:
    image: "rootfs:/"
    command: [sleep, infinity]
    init: true
    stop_signal: SIGKILL
    depends_on: {db: {condition: service_healthy, restart: true}, job: {condition: service_completed_successfully}}
    networks: {inside: , outside: {priority: 10}}
    env_file: [web.env]
    extra_hosts: ["other:192.0.2.1"]
    tmpfs: [/tmp]
    read_only: true
    deploy: {replicas: 2, update_config: {order: stop-first}}
    logging: {driver: json-file, options: {max-size: 1m}}
  job: {image: "rootfs:/", command: ["true"], networks: [inside]}
  aside:
    image: "rootfs:/"
    command: [sleep, infinity]
    init: true
    stop_signal: SIGKILL
    network_mode: "service:db"
    pid: "service:db"
networks: {inside: , outside: }
volumes: {data: {labels: {keep: "yes"}}}
configs: {settings: {content: "a = 1\\n"}}
secrets: {token: {file: ./token}}
"""
BESIDE = {"token": "secret\n", "web.env": "LEVEL=1\n"}
CONTAINERS = ("upgrade-aside-1", "upgrade-db-1", "upgrade-job-1", "upgrade-web-1", "upgrade-web-2")


def write_stack(folder: Path) -> None:
    """folder: is made; its name has to be that of the stack."""
    for name, text in {"compose.yaml": FILE, **BESIDE}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
