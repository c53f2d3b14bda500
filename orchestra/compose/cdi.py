"""Devices described by files of the Container Device Interface: ``devices: [vendor.com/class=name]`` and ``gpus``.

Source: github.com/cncf-tags/container-device-interface, SPEC.md. A file in a later directory wins over one before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.compose.nodes import plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents
from orchestra.model.device_edits import DeviceEdits, DeviceNode, EditHook, EditMount
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestra.compose.reader import Reader
    from orchestra.compose.schema.deploy import DeviceRequest
    from orchestra.compose.schema.service import Service

DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
_NAME = regex(r"[A-Za-z][\w.-]*/[A-Za-z][\w.-]*=[A-Za-z0-9][\w.:-]*")
_ALL = "all"


def is_cdi_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


class KnownDevices:
    """devices: edits by qualified name, each with the edits that its file has for all of its devices."""

    def __init__(self, reader: Reader) -> None:
        self.devices: dict[str, tuple[DeviceEdits, DeviceEdits]] = {}
        for directory in DIRECTORIES:
            for name in reader.list(directory):
                if name.endswith((".json", ".yaml")):
                    self._take(f"{directory}/{name}", reader)

    def _take(self, path: str, reader: Reader) -> None:
        """Read the devices of a file. Ignores files that are not CDI files."""
        problems = Problems()
        try:
            text = (reader.read(path) or b"").decode()
            for document in parse_documents(Source(path, text), problems):
                content = plain(document)
                common = _edits(content.get("containerEdits"))
                found = {f"{content['kind']}={each['name']}": each for each in content["devices"]}
                self.devices |= {name: (common, _edits(each.get("containerEdits"))) for name, each in found.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return

    def names(self, request: DeviceRequest) -> list[str]:
        """The names of the devices that a request selects; empty if it cannot be met."""
        if request.driver == "cdi":
            return [name for name in request.device_ids if name in self.devices]
        wanted = [name for name in self.devices if _is_of(name, request)]
        kind = min((name.partition("=")[0] for name in wanted), default="")
        if request.device_ids:
            named = [f"{kind}={each}" for each in request.device_ids]
            return named if self.devices.keys() >= set(named) else []
        each = sorted((n for n in wanted if n.startswith(f"{kind}=") and not n.endswith(f"={_ALL}")), key=_by_number)
        if request.count in (None, -1):
            return [f"{kind}={_ALL}"] if f"{kind}={_ALL}" in self.devices else each
        return each[: request.count] if len(each) >= (request.count or 0) else []


def _is_of(name: str, request: DeviceRequest) -> bool:
    """Match the class of the device with the capabilities, and the driver, if one is named."""
    vendor, _, rest = name.partition("/")
    driver = request.driver or ""
    return rest.partition("=")[0] in (request.capabilities or ("gpu",)) and driver in ("", vendor.partition(".")[0])


def _by_number(name: str) -> tuple[int, str]:
    last = name.rpartition("=")[2]
    return (int(last) if last.isdecimal() else 1 << 30, last)


def device_edits(service: Service, describe: Callable[[], KnownDevices]) -> tuple[DeviceEdits, tuple[str, ...]]:
    """What the devices of a service add to its containers, and the problems of those that no file describes.

    describe: asked only if the service has devices.
    """
    reservations = service.deploy.resources.reservations if service.deploy else None
    requests = (*service.gpus, *(reservations.devices if reservations else ()))
    asked = [device.source for device in service.devices if is_cdi_name(device.source)]
    if not requests and not asked:
        return DeviceEdits(), ()
    known = describe()
    missing = [name for name in asked if name not in known.devices]
    problems = [f"unresolvable CDI devices {', '.join(missing)}"] if missing else []
    chosen = [name for name in asked if name in known.devices]
    for request in requests:
        names = known.names(request)
        chosen += names
        if not names and request.count != 0:
            problems.append(_refusal(request))
    return merge_edits(dict.fromkeys(chosen), known), tuple(problems)


def merge_edits(names: Iterable[str], known: KnownDevices) -> DeviceEdits:
    """Merge edits. Those that a file has for all its devices are made once."""
    found = DeviceEdits()
    made: list[DeviceEdits] = []
    for name in names:
        common, own = known.devices[name]
        if common not in made:
            made.append(common)
            found += common
        found += own
    return found


def _refusal(request: DeviceRequest) -> str:
    if request.driver == "cdi":
        return f"unresolvable CDI devices {', '.join(request.device_ids)}"
    which = f", ids {', '.join(request.device_ids)}" if request.device_ids else ""
    if request.count not in (None, -1):
        which = f", {request.count} of them"
    capabilities = " ".join(request.capabilities or ("gpu",))
    return f'could not select device driver "{request.driver or ""}" with capabilities: [[{capabilities}]]{which}'


def _edits(content: Mapping[str, Any] | None) -> DeviceEdits:
    """Parse ``containerEdits``. Raises KeyError, TypeError or AttributeError if it is invalid."""
    found: Mapping[str, Any] = content or {}
    return DeviceEdits(
        environment=tuple(map(str, found.get("env") or ())),
        nodes=tuple(
            DeviceNode(
                str(node["path"]),
                str(node.get("hostPath") or ""),
                str(node.get("type") or ""),
                major=node.get("major"),
                minor=node.get("minor"),
                mode=node.get("fileMode"),
                uid=node.get("uid"),
                gid=node.get("gid"),
                permissions=str(node.get("permissions") or "rwm"),
            )
            for node in found.get("deviceNodes") or ()
        ),
        mounts=tuple(
            EditMount(
                str(mount["hostPath"]),
                str(mount["containerPath"]),
                str(mount.get("type") or "bind"),
                tuple(map(str, mount.get("options") or ())),
            )
            for mount in found.get("mounts") or ()
        ),
        hooks=tuple(
            EditHook(
                str(hook["hookName"]),
                str(hook["path"]),
                tuple(map(str, hook.get("args") or ())),
                tuple(map(str, hook.get("env") or ())),
                int(hook.get("timeout") or 0),
            )
            for hook in found.get("hooks") or ()
        ),
        groups=tuple(int(group) for group in found.get("additionalGids") or ()),
    )
