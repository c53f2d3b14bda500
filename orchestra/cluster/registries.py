"""Credentials for registries, in the forms in which clusters take them. Pure."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from orchestra.cluster.kinds import MANAGER, STACK
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.cluster.kinds import Object


class Login(NamedTuple):
    """server: the key under which Docker keeps it. identity: a refresh token, instead of user and password."""

    server: str
    user: str = ""
    password: str = ""
    identity: str = ""


def header(login: Login) -> str:
    """``X-Registry-Auth``: https://docs.docker.com/reference/api/engine/version/v1.41/#section/Authentication."""
    said = {"identitytoken": login.identity} if login.identity else {"username": login.user, "password": login.password}
    return base64.urlsafe_b64encode(json.dumps({**said, "serveraddress": login.server}).encode()).decode()


def pull_secret(stack: str, logins: Sequence[Login]) -> Object:
    """https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/"""
    servers = {login.server: _entry(login) for login in logins}
    content = base64.b64encode(json.dumps({"auths": servers}, sort_keys=True).encode()).decode()
    metadata = {"name": f"{stack.replace('_', '-')}-registries", "labels": {STACK: stack, MANAGER: "orchestra"}}
    kind = "kubernetes.io/dockerconfigjson"
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": {f".{_FILE}": content}}


_FILE = "dockerconfigjson"


def _entry(login: Login) -> Mapping[str, str]:
    pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    return {"auth": pair, **({"identitytoken": login.identity} if login.identity else {})}


def with_pull_secret(objects: Sequence[Object], stack: str, logins: Sequence[Login]) -> tuple[Object, ...]:
    """The same objects, with the secret before them, and its name in all pods."""
    secret = pull_secret(stack, logins)
    return (secret, *(_naming(item, secret["metadata"]["name"]) for item in objects))


def _naming(item: Object, name: str) -> Object:
    if item["kind"] == "CronJob":
        spec = item["spec"]
        return {**item, "spec": {**spec, "jobTemplate": _naming({"kind": "", **spec["jobTemplate"]}, name)}}
    template = (item.get("spec") or {}).get("template")
    if template is None:
        return item
    pod = template["spec"]
    secrets = [*(pod.get("imagePullSecrets") or ()), {"name": name}]
    spec = {**item["spec"], "template": {**template, "spec": {**pod, "imagePullSecrets": secrets}}}
    made = {**item, "spec": spec}
    return {key: value for key, value in made.items() if key != "kind" or value}
