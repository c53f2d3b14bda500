"""Images of real servers: those of the example ``webshop``, made of packages once in an environment."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.home import Home
from tests.apart import outside

IMAGES = Path(__file__).parent.parent / "examples" / "stacks" / "webshop" / "images.py"
KEPT = Path(sys.prefix) / "debian-images"
SERVERS = {
    "nginx": "nginx -v",
    "postgres": "postgres --version",
    "redis": "redis-server --version",
    "shop": "python3 -V",
}
MISSING = [name for name in ("mmdebstrap", "apt-get", "docker-registry") if not shutil.which(name)]

needs_debian = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make images of packages"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)} to make images of packages"),
    # Whoever comes first makes them, with what it has to download.
    pytest.mark.timeout(900),
    # Others would only wait for it.
    pytest.mark.xdist_group("debian"),
]


@pytest.fixture(scope="session")
def debian_images() -> Path:
    """An image layout with the tags ``SERVERS``; all share their lowest layer. Another program makes another one."""
    layout = KEPT / hashlib.sha256(IMAGES.read_bytes()).hexdigest()[:16]
    KEPT.mkdir(exist_ok=True)
    with open(KEPT / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (layout / "index.json").exists():
            for other in (path for path in KEPT.iterdir() if path.is_dir()):
                shutil.rmtree(other)
            command = outside(sys.executable, IMAGES, layout)
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            assert done.returncode == 0, done.stdout
    return layout


def home_in(path: Path) -> Home:
    return Home(f"{path}/data", f"{path}/run")
