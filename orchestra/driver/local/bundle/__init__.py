"""``ContainerSpec`` to OCI runtime configuration (runtime-spec 1.2). Pure, but for ``host``, which looks.

What Docker gives a container unless told otherwise is given here too. What cannot be given is a FatalError that names
the service and says what to change; nothing is left out in silence.
"""

from orchestra.driver.local.bundle.config import render_bundle, render_etc_files
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.process import render_process
from orchestra.driver.local.bundle.world import HostDevice, HostFacts

__all__ = ["HostDevice", "HostFacts", "observe_host", "render_bundle", "render_etc_files", "render_process"]
