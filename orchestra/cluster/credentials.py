"""Credentials that change: tokens in files, which are renewed, and those of programs, which expire."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from orchestra.errors import EnvironmentLack, FatalError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.cluster.access import Access, Plugin


class Credentials(NamedTuple):
    """certificate, key: PEM, empty where the token is all."""

    token: str = ""
    certificate: bytes = b""
    key: bytes = b""


def obtain(access: Access, environment: Mapping[str, str]) -> Credentials:
    """Valid now; ask again when the server refuses them. environment: of a program that is run for them.

    Raises EnvironmentLack without that program, and FatalError if it has none.
    """
    if access.plugin is not None:
        return _ask(access.plugin, environment)
    token = access.token
    if access.token_file:
        try:
            with open(access.token_file, encoding="utf-8") as file:
                token = file.read().strip()
        except OSError as error:
            raise EnvironmentLack(f"cannot read the token {access.token_file}: {error.strerror}") from error
    return Credentials(token, access.certificate, access.key)


def _ask(plugin: Plugin, environment: Mapping[str, str]) -> Credentials:
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins"""
    spec: dict[str, Any] = {"interactive": sys.stdin is not None and sys.stdin.isatty()}
    if plugin.cluster:
        spec["cluster"] = plugin.cluster
    told = {"kind": "ExecCredential", "apiVersion": plugin.version, "spec": spec}
    try:
        answer = subprocess.run(
            [plugin.command, *plugin.arguments],
            env={**environment, **plugin.environment, "KUBERNETES_EXEC_INFO": json.dumps(told)},
            stdout=subprocess.PIPE,
            check=False,
        )
    except OSError as error:
        why = f"{plugin.command}, which gives the credentials of the cluster, does not start"
        raise EnvironmentLack(f"{why}: {os.strerror(error.errno or 0)}", hint=plugin.hint) from error
    if answer.returncode:
        raise FatalError(f"{plugin.command} gave no credentials: it ended with code {answer.returncode}")
    try:
        status = json.loads(answer.stdout)["status"]
        certificate, key = (str(status.get(name) or "") for name in ("clientCertificateData", "clientKeyData"))
        return Credentials(str(status.get("token") or ""), certificate.encode(), key.encode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FatalError(f"{plugin.command} printed no ExecCredential", hint="run it by hand to see") from error
