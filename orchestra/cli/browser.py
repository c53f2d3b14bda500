"""Opens web pages with the desktop's program for that."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

OPENER = "xdg-open"


def open_in_browser(address: str) -> str:
    """Return what to tell the user. address: empty if there is nothing to open."""
    import os
    import shutil
    import subprocess

    if not address:
        return "no running container publishes a TCP port, so there is nothing to open"
    program = shutil.which(OPENER)
    if program is None or not has_desktop(os.environ):
        return f"there is no {OPENER} and desktop here: open {address} in a browser"
    subprocess.Popen(
        [program, address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return f"Opening {address}"


def has_desktop(environment: Mapping[str, str]) -> bool:
    """Whether this process belongs to a graphical session."""
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
