"""Pods of Kubernetes as services: one for each container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.importing.compose_file import escaped, full
from orchestra.importing.probing import healthcheck

if TYPE_CHECKING:
    from orchestra.importing.compose_file import Service
    from orchestra.importing.part import Part

_POLICIES = {"Always": "unless-stopped", "OnFailure": "on-failure", "Never": "", "on-failure": "on-failure", "no": ""}


class Surroundings:
    """What the manifests make, and what pods refer to."""

    def __init__(
        self,
        services: dict[str, Service],
        volumes: dict[str, Any],
        configs: dict[str, Any],
        secrets: dict[str, Any],
        labels: dict[str, dict[str, str]],
    ) -> None:
        self.services = services
        self.volumes = volumes
        self.configs = configs
        self.secrets = secrets
        self.labels = labels
        self.used_configs: dict[str, None] = {}
        self.config_data: dict[str, dict[str, str]] = {}
        self.secret_keys: dict[str, list[str]] = {}
        self.claims: dict[str, str] = {}
        self.named_ports: dict[str, dict[Any, int]] = {}


def add_pod(pod: Part, name: str, restart: str, deploy: dict[str, Any], around: Surroundings) -> None:
    """restart: a policy. deploy: of the first container; others and those before it belong to that one."""
    volumes = {str(each.take("name")): each for each in pod.each("volumes")}
    shared = _of_pod(pod)
    before: list[str] = []
    for container in pod.each("initContainers"):
        key = f"{name}-{container.take('name')}"
        made = _service(container, name, volumes, around)
        needs = {one: {"condition": "service_completed_successfully"} for one in before}
        around.services[key] = full(**made, **shared, depends_on=needs, restart="on-failure")
        before.append(key)
    for index, container in enumerate(pod.each("containers")):
        said = container.take("name")
        key = name if index == 0 else f"{name}-{said}"
        made = _service(container, name, volumes, around)
        around.named_ports.setdefault(name, {}).update(_ports(container))
        needs = {one: {"condition": "service_completed_successfully"} for one in before}
        placed = full(hostname=pod.take("hostname")) if index == 0 else {"network_mode": f"service:{name}"}
        resources = made.pop("resources", None)
        declared = full(**(deploy if index == 0 else {}), resources=resources)
        more = full(restart=_POLICIES[restart], depends_on=needs, deploy=declared)
        around.services[key] = {**made, **shared, **placed, **more}


def _of_pod(pod: Part) -> dict[str, Any]:
    grace = pod.take("terminationGracePeriodSeconds")
    context = pod.at("securityContext")
    groups = context.take("supplementalGroups") or ()
    group = context.take("fsGroup")
    sysctls = {each.take("name"): each.take("value") for each in context.each("sysctls")}
    hosts = [f"{name}:{each.take('ip')}" for each in pod.each("hostAliases") for name in each.take("hostnames") or ()]
    return full(
        stop_grace_period=f"{grace}s" if grace not in (None, 30) else "10s" if grace is None else "30s",
        network_mode="host" if pod.take("hostNetwork") else "",
        pid="host" if pod.take("hostPID") else "",
        ipc="host" if pod.take("hostIPC") else "",
        user=_user(context),
        group_add=[str(number) for number in (*groups, *([group] if group is not None else []))],
        sysctls=sysctls,
        extra_hosts=hosts,
        security_opt=_seccomp(context),
    )


def _service(container: Part, pod: str, volumes: dict[str, Part], around: Surroundings) -> Service:
    context = container.at("securityContext")
    escalation = context.at("allowPrivilegeEscalation")
    options = ["no-new-privileges:true"] if escalation.value is False else []
    context.book.use(escalation.path)
    mounts, configs, secrets = _mounts(container, pod, volumes, around)
    return full(
        image=escaped(container.take("image")),
        entrypoint=escaped(container.take("command")),
        command=escaped(container.take("args")),
        working_dir=container.take("workingDir"),
        environment=_environment(container, around),
        tty=container.take("tty"),
        stdin_open=container.take("stdin"),
        pull_policy={"Always": "always", "Never": "never"}.get(str(container.take("imagePullPolicy")), ""),
        user=_user(context),
        privileged=context.take("privileged"),
        read_only=context.take("readOnlyRootFilesystem"),
        cap_add=list(context.take("capabilities", "add") or ()),
        cap_drop=list(context.take("capabilities", "drop") or ()),
        security_opt=[*options, *_seccomp(context)],
        healthcheck=healthcheck(container),
        volumes=mounts,
        configs=configs,
        secrets=secrets,
        resources=_resources(container),
    )


def _user(context: Part) -> str:
    user, group = context.take("runAsUser"), context.take("runAsGroup")
    context.take("runAsNonRoot")
    if user is None and group is None:
        return ""
    return f"{user or 0}" + ("" if group is None else f":{group}")


def _seccomp(context: Part) -> list[str]:
    profile = context.at("seccompProfile")
    if profile.at("type").value == "RuntimeDefault":
        profile.take("type")
    return ["seccomp=unconfined"] if profile.at("type").value == "Unconfined" and profile.take("type") else []


def _ports(container: Part) -> dict[Any, int]:
    """Numbers by names; a port is open whether it is declared or not."""
    found = {}
    for port in container.each("ports"):
        name, number = port.take("name"), port.take("containerPort")
        port.take("protocol")
        if name:
            found[name] = number
    return found


def _environment(container: Part, around: Surroundings) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in container.each("envFrom"):
        config = str(entry.at("configMapRef", "name").value or "")
        prefix = entry.take("prefix") or ""
        if config in around.config_data:
            entry.take("configMapRef")
            found |= {f"{prefix}{key}": escaped(value) for key, value in around.config_data[config].items()}
        for key in around.secret_keys.get(str(entry.at("secretRef", "name").value or ""), ()):
            found[f"{prefix}{key}"] = f"${{{prefix}{key}:?}}"
            entry.at("secretRef").approximate("contents of Secrets are not copied", "set the variables in .env")
    for entry in container.each("env"):
        name, value, source = str(entry.take("name")), entry.at("value"), entry.at("valueFrom")
        if source.value is None:
            found[name] = escaped(str(entry.take("value") or ""))
            if "$(" in found[name]:
                value.approximate("$(NAME) is not replaced here", "write ${NAME}, or its value")
            continue
        reference = source.at("configMapKeyRef")
        data = around.config_data.get(str(reference.at("name").value), {})
        if reference.at("key").value in data:
            found[name] = escaped(data[reference.take("key")])
            source.book.use(source.path)
        else:
            found[name] = f"${{{name}:?}}"
            source.approximate("the value is not in the manifests, or is not copied", f"set {name} in .env")
    return found


def _mounts(
    container: Part, pod: str, volumes: dict[str, Part], around: Surroundings
) -> tuple[list[Any], list[Any], list[Any]]:
    mounts: list[Any] = []
    configs: list[Any] = []
    secrets: list[Any] = []
    for mount in container.each("volumeMounts"):
        name, target = str(mount.take("name")), str(mount.take("mountPath")).rstrip("/") or "/"
        read_only, within = mount.take("readOnly"), mount.take("subPath")
        volume = volumes.get(name)
        claim = around.claims.get(name) if volume is None else volume.take("persistentVolumeClaim", "claimName")
        mode = ":ro" if read_only else ""
        if claim is not None:
            around.volumes.setdefault(claim, None)
            options = full(type="volume", source=claim, target=target, read_only=read_only)
            options |= {"volume": {"subpath": within}} if within else {}
            mounts.append(options if within else f"{claim}:{target}{mode}")
        elif volume is None:
            mount.lose(f"there is no volume {name}")
        elif volume.at("hostPath").value is not None:
            path = volume.take("hostPath", "path")
            volume.take("hostPath", "type")
            mounts.append(escaped(f"{path}{f'/{within}' if within else ''}:{target}{mode}"))
        elif volume.at("emptyDir").value is not None:
            if volume.take("emptyDir", "medium") == "Memory":
                mounts.append({"type": "tmpfs", "target": target})
            else:
                volume.at("emptyDir").approximate("becomes a volume, which stays, and which all replicas share")
                around.volumes.setdefault(f"{pod}-{name}", None)
                mounts.append(f"{pod}-{name}:{target}{mode}")
            volume.book.use((*volume.path, "emptyDir"))
        elif volume.at("configMap").value is not None:
            configs += _files(volume.at("configMap"), "name", target, within, "configs", around)
        elif volume.at("secret").value is not None:
            secrets += _files(volume.at("secret"), "secretName", target, within, "secrets", around)
    return mounts, configs, secrets


def _files(
    source: Part, word: str, target: str, within: str | None, section: str, around: Surroundings
) -> list[dict[str, Any]]:
    """Each key is a file."""
    name = str(source.take(word))
    chosen = {str(each.take("key")): str(each.take("path")) for each in source.each("items")}
    mode = source.take("defaultMode")
    known = (
        around.config_data.get(name, {}) if section == "configs" else dict.fromkeys(around.secret_keys.get(name, ()))
    )
    if not known:
        source.approximate("its content is not in the manifests", "write it to a file beside the Compose file")
    found = []
    for key in chosen or known:
        path = chosen.get(key, key)
        if within is not None and path != within:
            continue
        resource = f"{name}-{key}".replace(".", "-")
        if section == "configs":
            around.used_configs[resource] = None
            around.configs[resource] = {"content": escaped(around.config_data.get(name, {}).get(key, ""))}
        else:
            around.secrets[resource] = {"file": f"./{resource}"}
            source.approximate("contents of Secrets are not copied", f"write them to files: ./{resource}")
        place = target if within is not None else f"{target}/{path}"
        found.append(full(source=resource, target=place, mode=mode))
    return found


def _resources(container: Part) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, section in (("limits", "limits"), ("requests", "reservations")):
        part = container.at("resources", word)
        given = full(cpus=_cpus(part.take("cpu")), memory=_memory(part.take("memory")))
        if given:
            found[section] = given
    return found


def _cpus(text: Any) -> str:
    """https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-cpu"""
    if text is None:
        return ""
    written = str(text)
    return f"{int(written[:-1]) / 1000:g}" if written.endswith("m") else written


def _memory(text: Any) -> str:
    """Binary units are those of Compose; decimal ones are not."""
    if text is None:
        return ""
    written = str(text)
    if written.endswith("i"):
        return written[:-1].lower()
    for unit, factor in (("k", 10**3), ("M", 10**6), ("G", 10**9), ("T", 10**12)):
        if written.endswith(unit):
            return f"{int(float(written[:-1]) * factor)}"
    return str(int(float(written)))
