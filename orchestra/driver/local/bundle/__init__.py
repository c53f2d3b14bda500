"""``ContainerSpec`` to OCI runtime configuration (runtime-spec 1.2). Pure, except ``host``, which looks at the machine.

The defaults are Docker's. If something cannot be granted, a FatalError names the service and says what to change;
nothing is left out silently.
"""

from orchestra.driver.local.bundle.config import render_bundle, render_etc_files
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.process import render_process
from orchestra.driver.local.bundle.world import HostDevice, HostFacts

__all__ = ["HostDevice", "HostFacts", "observe_host", "render_bundle", "render_etc_files", "render_process"]
