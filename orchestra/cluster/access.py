"""How to reach a cluster, as a kubeconfig says: server, certificates and credentials.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Any

from orchestra.compose.nodes import plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents
from orchestra.errors import EnvironmentLack, UserError
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""What a pod has of its own account; https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/."""


class Plugin(Record):
    """A program that prints credentials. cluster: a description of it, empty unless the program asks for it."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    version: str = "client.authentication.k8s.io/v1"
    hint: str = ""
    cluster: Mapping[str, Any] = {}


class Access(Record):
    """server: its URL. authority, certificate, key: PEM. insecure: the server's certificate is not checked.

    server_name: that the certificate must have, empty for that of the URL.
    """

    server: str
    namespace: str = "default"
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    token_file: str = ""
    plugin: Plugin | None = None
    insecure: bool = False
    server_name: str = ""
    proxy: str = ""


def find_access(environment: Mapping[str, str], context: str = "", account: str = _ACCOUNT) -> Access:
    """Of the files in KUBECONFIG, or ``~/.kube/config``, or the pod that this runs in.

    context: empty for the current one. account: the directory of a pod's own account. Raises UserError for a file or
    context that is wrong, and EnvironmentLack where there is none.
    """
    named = [path for path in environment.get("KUBECONFIG", "").split(":") if path]
    paths = named or [os.path.join(environment.get("HOME", "/"), ".kube/config")]
    merged = _Merged()
    for path in paths:
        if os.path.exists(path):
            merged.add(path, _read_yaml(path))
    if merged.sections["contexts"]:
        return _access_of(merged, context)
    host = environment.get("KUBERNETES_SERVICE_HOST")
    if host and not named and os.path.exists(f"{account}/token"):
        address = f"[{host}]" if ":" in host else host
        return Access(
            server=f"https://{address}:{environment.get('KUBERNETES_SERVICE_PORT', '443')}",
            namespace=_read(f"{account}/namespace").decode().strip(),
            authority=_read(f"{account}/ca.crt"),
            token_file=f"{account}/token",
        )
    raise EnvironmentLack(
        f"no cluster is configured: {paths[0]} has no contexts", hint="set KUBECONFIG to the file of the cluster"
    )


class _Merged:
    """Several files as one: of what has the same name, the first counts. Relative paths are those of each file."""

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {"clusters": {}, "contexts": {}, "users": {}}
        self.current = ""

    def add(self, path: str, content: dict[str, Any]) -> None:
        self.current = self.current or content.get("current-context") or ""
        directory = os.path.dirname(os.path.abspath(path))
        for section, known in self.sections.items():
            for entry in content.get(section) or ():
                if isinstance(entry, dict) and isinstance(inner := entry.get(section[:-1]), dict):
                    known.setdefault(str(entry.get("name")), (directory, inner))

    def find(self, section: str, name: str) -> tuple[str, dict[str, Any]]:
        found = self.sections[section].get(name)
        if found is None:
            known = ", ".join(sorted(self.sections[section]))
            raise UserError(f"the kubeconfig has no {section[:-1]} {name!r}", hint=f"it has {known or 'none'}")
        return found


def _access_of(merged: _Merged, context: str) -> Access:
    name = context or merged.current
    if not name:
        raise UserError("the kubeconfig has no current context", hint="name one with --context")
    chosen = merged.find("contexts", name)[1]
    where, cluster = merged.find("clusters", str(chosen.get("cluster")))
    user_name = chosen.get("user")
    home, user = merged.find("users", str(user_name)) if user_name else (where, {})
    if user.get("username") or user.get("auth-provider"):
        raise UserError(f"user {user_name!r} signs in in a way that Kubernetes has removed", hint="use exec or a token")
    server = str(cluster.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise UserError(f"cluster {chosen.get('cluster')!r} has no server", hint="write its URL into the kubeconfig")
    return Access(
        server=server.rstrip("/"),
        namespace=str(chosen.get("namespace") or "default"),
        authority=_content(cluster, "certificate-authority", where),
        certificate=_content(user, "client-certificate", home),
        key=_content(user, "client-key", home),
        token=str(user.get("token") or ""),
        token_file=os.path.join(home, user["tokenFile"]) if user.get("tokenFile") else "",
        plugin=_plugin(user["exec"], home, cluster) if user.get("exec") else None,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=str(cluster.get("tls-server-name") or ""),
        proxy=str(cluster.get("proxy-url") or ""),
    )


def _plugin(given: dict[str, Any], directory: str, cluster: dict[str, Any]) -> Plugin:
    command = str(given.get("command") or "")
    told = {}
    if given.get("provideClusterInfo"):
        authority = base64.b64encode(_content(cluster, "certificate-authority", directory)).decode()
        told = {"server": cluster.get("server"), "certificate-authority-data": authority}
    return Plugin(
        command=os.path.join(directory, command) if "/" in command else command,
        arguments=tuple(map(str, given.get("args") or ())),
        environment={str(entry["name"]): str(entry["value"]) for entry in given.get("env") or ()},
        version=str(given.get("apiVersion") or Plugin._field_defaults["version"]),
        hint=str(given.get("installHint") or "").strip(),
        cluster=told,
    )


def _content(owner: dict[str, Any], name: str, directory: str) -> bytes:
    """Of a file, or of the kubeconfig itself, which comes first."""
    inline = owner.get(f"{name}-data")
    if inline:
        try:
            return base64.b64decode(str(inline), validate=True)
        except binascii.Error as error:
            raise UserError(f"{name}-data of the kubeconfig is not base64", hint="write it anew") from error
    path = owner.get(name)
    return _read(os.path.join(directory, str(path))) if path else b""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"cannot read {path}, which the kubeconfig names: {error.strerror}") from error


def _read_yaml(path: str) -> dict[str, Any]:
    problems = Problems()
    documents = parse_documents(Source(path, _read(path).decode()), problems)
    problems.raise_errors()
    found: dict[str, Any] = plain(documents[0]) if documents else {}
    return found
