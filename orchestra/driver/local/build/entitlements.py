"""What commands may use beyond the ordinary: the network of the machine, all capabilities, and devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build.step import Network
from orchestra.driver.local.bundle.device_edits import HINT
from orchestra.errors import UserError
from orchestra.model.device_edits import DeviceEdits

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from orchestra.build.step import Run
    from orchestra.driver.local.build.given import RunOptions

HOST_NETWORK, INSECURE, DEVICE = "network.host", "security.insecure", "device"


def check_entitled(step: Run, options: RunOptions, entitlements: Set[str]) -> None:
    """Raises UserError."""
    if step.insecure and not (INSECURE in entitlements or options.privileged):
        hint = f"add {INSECURE} to `entitlements`, or use --allow {INSECURE}"
        raise UserError("RUN --security=insecure is not allowed", hint=hint)
    if step.network is Network.HOST and not (HOST_NETWORK in entitlements or options.network is Network.HOST):
        hint = f"add {HOST_NETWORK} to `entitlements`, or use --allow {HOST_NETWORK}"
        raise UserError("RUN --network=host is not allowed", hint=hint)


def find_devices(step: Run, known: Mapping[str, DeviceEdits], entitlements: Set[str]) -> DeviceEdits:
    """What the devices of a command add to its container. Raises UserError for one that it may not use, or that is
    required and does not exist.
    """
    found = DeviceEdits()
    for device in step.devices:
        if device.name in known:
            if not {DEVICE, f"{DEVICE}={device.name}"} & entitlements:
                hint = f"add {DEVICE} to `entitlements`, or use --allow {DEVICE}"
                raise UserError(f"RUN --device={device.name} is not allowed", hint=hint)
            found += known[device.name]
        elif device.required:
            raise UserError(f"device {device.name} is required, and does not exist on this machine", hint=HINT)
    return found
