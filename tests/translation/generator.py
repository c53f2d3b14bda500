"""What Podman's systemd generator takes, as podman-systemd.unit(5) of version 5.3 has it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.result import Translation

_KEYS = {
    "Container": (
        "AddCapability AddDevice AddHost Annotation ContainerName DNS DNSOption DNSSearch DropCapability Entrypoint"
        " Environment Exec ExposeHostPort GlobalArgs GroupAdd HealthCmd HealthInterval HealthOnFailure HealthRetries"
        " HealthStartPeriod HealthTimeout HostName Image Label LogDriver LogOpt Mount Network Notify PidsLimit"
        " PodmanArgs PublishPort Pull ReadOnly ReadOnlyTmpfs RunInit Secret ShmSize StopSignal StopTimeout Sysctl"
        " Tmpfs Ulimit User Volume WorkingDir"
    ),
    "Network": "Driver Gateway Internal IPAMDriver IPRange IPv6 Label NetworkName Options Subnet",
    "Volume": "Device Driver Label Options PodmanArgs Type VolumeName",
    "Unit": "After Description Requires StartLimitBurst StartLimitIntervalSec Wants",
    "Service": "ExecStartPost ExecStartPre ExecStop RemainAfterExit Restart RestartSec TimeoutStartSec Type",
    "Install": "WantedBy",
}
KEYS = {section: frozenset(keys.split()) for section, keys in _KEYS.items()}
ONCE = frozenset({"Image", "ContainerName", "Entrypoint", "Exec", "HealthCmd", "Type", "Restart", "VolumeName"})
_PORT = re.compile(r"(\[[0-9a-f:.]+\]:|[0-9.]+:)?(\d+:)?\d+/(tcp|udp|sctp)")


def check(translation: Translation, files: Mapping[str, bytes]) -> None:
    """Raises AssertionError for what the generator would refuse, or would understand in another way."""
    sections = {unit["name"]: unit["sections"] for unit in translation.objects}
    assert files.keys() >= sections.keys()
    for name, unit in sections.items():
        kind = name.rpartition(".")[2].capitalize()
        assert kind in unit or kind in ("Volume", "Network"), name
        assert set(unit) <= {kind, "Unit", "Service", "Install"}, name
        for section, lines in unit.items():
            assert lines.keys() <= KEYS[section], (name, lines.keys() - KEYS[section])
            for key, values in lines.items():
                assert key not in ONCE or len(values) == 1, (name, key)
                assert not [value for value in values if "\n" in value or value.endswith("\\")], (name, key)
        _check_references(name, unit, sections)
        # As it is written, it reads back as the same lines.
        assert _read(files[name].decode()) == unit


def _check_references(name: str, unit: Mapping[str, Mapping[str, list[str]]], sections: Mapping[str, object]) -> None:
    box = unit.get("Container", {})
    named = [value.partition(":")[0] for key in ("Volume", "Network") for value in box.get(key, ())]
    named += [match[1] for value in box.get("Mount", ()) if (match := re.search(r"source=([^,]*\.volume)", value))]
    for reference in named:
        if reference.endswith((".volume", ".network", ".container")):
            assert reference in sections, (name, reference)
    for key in ("Requires", "Wants", "After"):
        for value in unit.get("Unit", {}).get(key, ()):
            assert f"{value.removesuffix('.service')}.container" in sections, (name, value)
    assert not [value for value in box.get("PublishPort", ()) if not _PORT.fullmatch(value)], name


def _read(text: str) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    lines: dict[str, list[str]] = {}
    for line in filter(None, text.split("\n")):
        if line.startswith("["):
            lines = found.setdefault(line.strip("[]"), {})
        else:
            key, _, value = line.partition("=")
            lines.setdefault(key, []).append(value)
    return found
