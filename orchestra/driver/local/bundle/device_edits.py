"""What devices of the Container Device Interface add to a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.errors import FatalError

if TYPE_CHECKING:
    from orchestra.driver.local.bundle.world import HostFacts
    from orchestra.model.container import ContainerSpec
    from orchestra.model.device_edits import DeviceNode

HINT = "no file in /etc/cdi or /var/run/cdi describes it; for NVIDIA, `nvidia-ctk cdi generate` writes one"


def apply_device_edits(config: dict[str, Any], spec: ContainerSpec, host: HostFacts) -> None:
    """Change ``config``, which is that of ``spec`` without them. Raises FatalError for a device that there is not."""
    if spec.devices_not_found:
        raise FatalError(f"service {spec.service}: {'; '.join(spec.devices_not_found)}", hint=HINT)
    edits = spec.device_edits
    process, linux = config["process"], config["linux"]
    if edits.environment:
        names = {line.partition("=")[0] for line in edits.environment}
        process["env"] = [line for line in process["env"] if line.partition("=")[0] not in names]
        process["env"] += edits.environment
    for node in edits.nodes:
        device = _device(node, spec, host)
        linux["devices"] = [each for each in linux["devices"] if each["path"] != node.path] + [device]
        rule = {name: device[name] for name in ("type", "major", "minor")}
        linux["resources"]["devices"].append({"allow": True, **rule, "access": node.permissions})
    for mount in edits.mounts:
        options = list(mount.options) or ["rbind", "rprivate"]
        if mount.kind == "bind" and not {"bind", "rbind"}.intersection(options):
            options.append("rbind")
        entry = {"destination": mount.target, "type": mount.kind, "source": mount.source, "options": options}
        config["mounts"] = [each for each in config["mounts"] if each["destination"] != mount.target] + [entry]
    for hook in edits.hooks:
        rendered: dict[str, Any] = {"path": hook.path, "args": list(hook.arguments), "env": list(hook.environment)}
        if hook.timeout:
            rendered["timeout"] = hook.timeout
        config.setdefault("hooks", {}).setdefault(hook.name, []).append(rendered)
    if edits.groups:
        known = process["user"].get("additionalGids", [])
        process["user"]["additionalGids"] = list(dict.fromkeys([*known, *edits.groups]))


def _device(node: DeviceNode, spec: ContainerSpec, host: HostFacts) -> dict[str, Any]:
    found = next(iter(host.devices.get(node.host_path or node.path, ())), None)
    if found is None and (node.major is None or node.minor is None or not node.kind):
        message = f"service {spec.service}: device {node.host_path or node.path} does not exist on this machine"
        raise FatalError(message, hint="write the CDI file anew; for NVIDIA, with `nvidia-ctk cdi generate`")
    own = {"type": node.kind or None, "major": node.major, "minor": node.minor}
    own |= {"fileMode": node.mode, "uid": node.uid, "gid": node.gid}
    there: dict[str, Any] = {"fileMode": 0o666, "uid": 0, "gid": 0}
    if found is not None:
        there = {"type": found.kind, "major": found.major, "minor": found.minor}
        there |= {"fileMode": found.mode, "uid": found.uid, "gid": found.gid}
    return {"path": node.path, **there, **{name: value for name, value in own.items() if value is not None}}
