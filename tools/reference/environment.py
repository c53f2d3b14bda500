"""The page of environment variables. What they mean is written here; a test compares their names with the sources."""

from __future__ import annotations

from pathlib import Path

import orchestra
from orchestra.control.environment import VARIABLES
from tools.reference import marks
from tools.reference.variables import read_variables

TABLES: dict[str, dict[str, str]] = {
    "orchestra": {
        "ORCHESTRA_HOME": "Directory for everything that Orchestra stores, as `data/` and `run/` in it.",
        "ORCHESTRA_HOST": "The machine that runs commands, as `ssh://[USER@]SERVER[:PORT]`. `--host` takes precedence.",
        "ORCHESTRA_BUILD_CACHE_SIZE": "The most that builds remember, such as `5g`; `-1` for no limit. "
        "Without it: 20 GiB, or a tenth of the file system if that is less.",
        "ORCHESTRA_BUILDER": "The program that builds images, `buildah` or `docker`, instead of Orchestra itself.",
        "XDG_DATA_HOME": "Without root: parent of the data directory (default: `~/.local/share`).",
        "XDG_RUNTIME_DIR": "Without root: parent of the run directory (otherwise `/tmp/orchestra-UID`). "
        "`containers/auth.json` in it is the first file to be searched for credentials.",
        "SHELL": "What `unshare` runs without a command (otherwise `/bin/sh`).",
        "VISUAL": "The editor of `ui`.",
        "EDITOR": "Likewise, without `VISUAL` (otherwise `vi`).",
        "HOME": "The user's directory, where `.docker/config.json`, `.config` and `.local/share` are.",
        "PATH": "Where OCI runtimes (`runtime:`, `--runtime`), `nft` and credential helpers are searched for.",
        "SUDO_USER": "Set by sudo(8): the user that [`history`](commands.md#history) names.",
        "KUBECONFIG": "The kubeconfigs that `deploy` reads, separated by `:` (default: `~/.kube/config`).",
        "KUBERNETES_SERVICE_HOST": "Address of the cluster, which it gives to its pods; used without a kubeconfig.",
        "KUBERNETES_SERVICE_PORT": "Its port (default: 443).",
        "DOCKER_HOST": "The manager that `--driver swarm` asks. `--manager` and `--context` take precedence.",
        "DOCKER_CONTEXT": "Without it: the context of Docker that says where the manager is.",
        "DOCKER_TLS_VERIFY": "If not empty: reach it by TLS, with the certificates in `DOCKER_CERT_PATH`.",
        "DOCKER_CERT_PATH": "Directory of `ca.pem`, `cert.pem` and `key.pem`.",
        "NO_COLOR": "If not empty: no colours, unless `--ansi always` is given.",
        "COLUMNS": "Width of tables, instead of the terminal's.",
        "TERM": "`dumb`: no menu of keys below the logs of `up`.",
    },
    "compose": {
        "COMPOSE_FILE": "The Compose files, separated by `COMPOSE_PATH_SEPARATOR`. `-f` takes precedence.",
        "COMPOSE_PATH_SEPARATOR": "What separates the paths in `COMPOSE_FILE` (default: `:`).",
        "COMPOSE_PROJECT_NAME": "Name of the stack. `-p` takes precedence. "
        "Files can use it as `${COMPOSE_PROJECT_NAME}`, even if the name comes from elsewhere.",
        "COMPOSE_PROFILES": "Active profiles, separated by commas. `--profile` takes precedence.",
        "COMPOSE_ENV_FILES": "Files of variables to read instead of `.env`, separated by commas. "
        "`--env-file` takes precedence.",
        "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "`false`: refuse Compose files in Git repositories. Not from `.env`.",
        "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "`false`: refuse Compose files in registries. Not from `.env`.",
        "COMPOSE_DISABLE_ENV_FILE": "`1`, `true`, `yes`, `t` or `y`: do not read `.env`.",
        "COMPOSE_COMPATIBILITY": "If true: as `--compatibility`.",
        "COMPOSE_REMOVE_ORPHANS": "If true: as `--remove-orphans`.",
        "COMPOSE_IGNORE_ORPHANS": "If true: do not warn of orphans. Cannot be combined with removing them.",
        "COMPOSE_PARALLEL_LIMIT": "How many operations to run at a time. `--parallel` takes precedence.",
        "COMPOSE_ANSI": "`auto`, `never` or `always`. `--ansi` takes precedence.",
        "COMPOSE_PROGRESS": "`auto`, `tty`, `plain`, `json`, `rawjson` or `quiet`. `--progress` takes precedence.",
        "COMPOSE_MENU": "`false`: no menu of keys below the logs of `up`. `--menu` takes precedence.",
        "COMPOSE_STATUS_STDOUT": "If true: progress is written to standard output.",
        "SOURCE_DATE_EPOCH": "The newest time that files and dates of built images may have, in seconds since 1970.",
        "SSH_AUTH_SOCK": "The socket of the SSH agent that `build.ssh` and `--ssh` lend to builds.",
        "DOCKER_DEFAULT_PLATFORM": "Platform of services without `platform:`, such as `linux/arm64`.",
    },
    "registries": {
        "REGISTRY_AUTH_FILE": "The only file with credentials to use, instead of those listed under [files](files.md).",
        "DOCKER_CONFIG": "Directory of Docker's `config.json` (default: `~/.docker`).",
        "XDG_CONFIG_HOME": "Parent of the user's `containers/` directory (default: `~/.config`): `auth.json`, "
        "`registries.conf`, `certs.d`; and of `systemd/user/`, where `enable` puts units without root.",
        "CONTAINERS_REGISTRIES_CONF": "The `registries.conf` to read, instead of the user's or the system's.",
        "SSL_CERT_FILE": "File of certificate authorities to trust, instead of the system's.",
        "SSL_CERT_DIR": "Directory of certificate authorities to trust, instead of the system's.",
        "HTTP_PROXY": "Proxy for registries without TLS.",
        "HTTPS_PROXY": "Proxy for registries with TLS.",
        "ALL_PROXY": "Proxy for both, where the specific variable is not set.",
        "NO_PROXY": "Hosts, domains, addresses and networks to reach without a proxy, with commas; `*` for all.",
    },
    "traces": {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "Base address of a receiver of OTLP over HTTP, such as `http://127.0.0.1:4318`: "
        "`up` sends a trace to it.",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "Whole address of such a receiver, `/v1/traces` included.",
        "OTEL_TRACES_EXPORTER": "`otlp`, `console` (standard error), or both with a comma; `none` for no traces.",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "`http/protobuf`, the only protocol.",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "The same, for traces.",
        "OTEL_SERVICE_NAME": "The name that traces have (default: `orchestra`).",
        "OTEL_SDK_DISABLED": "`true`: no traces.",
        "TRACEPARENT": "The span that the trace continues (W3C Trace Context), such as that of a pipeline's job.",
        "TRACESTATE": "What belongs to it.",
    },
    "orchestra-runtime": {
        "NOTIFY_SOCKET": "Socket of the service manager; readiness messages of the program are passed on to it.",
        "LISTEN_FDS": "Number of descriptors to pass on to the program, from 3 up: sd_listen_fds(3).",
        "LISTEN_PID": "Process that `LISTEN_FDS` is meant for. Ignored if it is another one.",
        "LISTEN_FDNAMES": "Names of these descriptors.",
    },
}
"""By the names of the page's generated parts. ``orchestra-runtime`` also has XDG_RUNTIME_DIR, as said there."""

IGNORED = {
    "COMPOSE_CONVERT_WINDOWS_PATHS": "There are no Windows paths on Linux.",
    "COMPOSE_EXPERIMENTAL": "No feature is experimental.",
    "COMPOSE_HTTP_TIMEOUT": "No engine is spoken to over HTTP. Docker Compose ignores it too.",
    "COMPOSE_PROJECT_DIR": "A setting of podman-compose. Use `--project-directory`.",
    "PODMAN_COMPOSE_*": "Settings of podman-compose.",
}
"""Variables of other Compose programs that have no effect, and why."""

INTERNAL = {
    "_ORCHESTRA_USER": "the user whom a home without root belongs to, for processes in its user namespace",
    "ORCHESTRA_CONTROL_FD": "descriptor of the control socket, from the fork server to the supervisor",
    "ORCHESTRA_PARENT_FD": "pipe whose end of file tells the supervisor that its fork server is gone",
    "ORCHESTRA_TEST_RUNTIME_DIES_AT": "point at which a test kills orchestra-runtime",
}
"""Read, but not for people to set."""


def renew(page: str) -> str:
    for name, variables in TABLES.items():
        rows = [(f"`{variable}`", meaning) for variable, meaning in variables.items()]
        page = marks.replace(page, name, marks.table(("variable", "meaning"), rows))
    rows = [(f"`{variable}`", reason) for variable, reason in IGNORED.items()]
    return marks.replace(page, "ignored", marks.table(("variable", "why it has no effect"), rows))


def documented() -> set[str]:
    return {name for variables in (*TABLES.values(), INTERNAL) for name in variables}


def read() -> set[str]:
    """Every variable that the program reads; a proxy's once, though small letters count too."""
    found = read_variables(Path(orchestra.__file__).parent)
    return {name.upper() for name in (*found, *VARIABLES)}
