"""The pictures of the page in the browser, from a real stack that runs and a real browser.

    python -m tools.screens

writes ``docs/screenshots/page-*.webp``. It needs root, busybox, and Chromium.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tools.browser import resize, start_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chromium.webdriver import ChromiumDriver

SCREENS = Path(__file__).parents[1] / "docs" / "screenshots"
WIDTH, HEIGHT = 1200, 760
QUALITY = 82
"""Percent."""
LARGEST = 120_000
"""Bytes of a picture."""
PATIENCE = 60.0
"""Seconds."""
APPLETS = "sh touch sleep cat dd echo head httpd wget mkdir true stty ls ps tail seq yes"
FILE = """
name: shop
x-base: &base {image: "shop/base:1", init: true}
services:
  db:
    <<: *base
    command: [sh, -c, "echo ok >/www/index.html; echo ready for connections; exec httpd -f -p 5432 -h /www"]
    environment: {POSTGRES_DB: shop, POSTGRES_PASSWORD: not-shown-anyway}
    volumes: ["data:/var/lib/postgresql"]
    healthcheck: {test: [CMD, wget, -qO-, "http://127.0.0.1:5432/"], interval: 2s}
  cache: {<<: *base, command: [sh, -c, "echo cache is warm; exec sleep infinity"]}
  migrate:
    <<: *base
    command: [sh, -c, "for i in 1 2 3; do echo migration $$i applied; done"]
    depends_on: {db: {condition: service_healthy}}
  api:
    <<: *base
    deploy: {replicas: 2}
    command:
      - sh
      - -c
      - |
        for i in $$(seq 100000); do
          wget -qO /dev/null http://db:5432/ && echo "GET /items/$$i 200"
          [ $$((i % 7)) = 0 ] && echo "slow query: 312 ms" >&2
          sleep 0.3
        done
    depends_on:
      db: {condition: service_healthy}
      cache: {condition: service_started}
      migrate: {condition: service_completed_successfully}
  worker: {<<: *base, command: [sh, -c, "echo waiting for jobs; exec sleep infinity"], depends_on: [cache, api]}
  web: {<<: *base, command: [httpd, -f, -p, "80"], ports: ["127.0.0.1::80"], depends_on: [api]}
volumes: {data: {}}
"""
CHANGE = ("POSTGRES_DB: shop", "POSTGRES_DB: shop, POSTGRES_TIMEOUT: 5s")


class Stack:
    """Commands on a file in a home of their own."""

    def __init__(self, folder: Path, text: str) -> None:
        self.file = folder / "compose.yaml"
        self.file.write_text(text, encoding="utf-8")
        self._environment = os.environ | {"ORCHESTRA_HOME": str(folder / "home")}

    def run(self, *words: str) -> None:
        silent = subprocess.DEVNULL
        subprocess.run(self._argv(*words), env=self._environment, check=True, stdout=silent, stderr=silent)

    @contextmanager
    def page(self) -> Iterator[str]:
        """The address for operators."""
        argv = self._argv("web", "--listen", "127.0.0.1:0")
        with subprocess.Popen(argv, env=self._environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().split()[1]
            finally:
                process.terminate()

    def _argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "orchestra", "-f", str(self.file), *words]


@contextmanager
def running(text: str) -> Iterator[Stack]:
    """A stack of this file that is up. Its image ``shop/base:1`` has busybox."""
    with tempfile.TemporaryDirectory(prefix="orchestra-screens-") as folder:
        stack = Stack(Path(folder), text)
        archive = Path(folder, "root.tar")
        write_root(archive)
        stack.run("image", "import", str(archive), "shop/base:1")
        try:
            stack.run("up", "-d")
            yield stack
        finally:
            stack.run("down", "-v", "-t", "0")


def write_root(path: Path) -> None:
    busybox = shutil.which("busybox")
    assert busybox is not None, "needs busybox, linked statically (Debian: busybox-static)"
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "tmp", "www"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
        tar.add(busybox, "bin/busybox")
        for applet in APPLETS.split():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)


@contextmanager
def browsing(width: int = WIDTH, height: int = HEIGHT) -> Iterator[ChromiumDriver]:
    with tempfile.TemporaryDirectory(prefix="orchestra-browser-", ignore_cleanup_errors=True) as profile:
        driver = start_browser(Path(profile), width, height)
        try:
            yield driver
        finally:
            driver.quit()


def wait_for(driver: ChromiumDriver, condition: str) -> None:
    """condition: an expression of the page's language."""
    WebDriverWait(driver, PATIENCE, 0.1).until(lambda _driver: driver.execute_script(f"return Boolean({condition})"))


def store(driver: ChromiumDriver, name: str) -> None:
    """Raises AssertionError if it is too large for a page of the documentation."""
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    data = base64.b64decode(shot["data"])
    assert len(data) < LARGEST, (name, len(data))
    (SCREENS / f"page-{name}.webp").write_bytes(data)
    print(f"page-{name}.webp: {len(data) / 1000:.0f} kB")


def main() -> int:
    with running(FILE) as stack, stack.page() as address, browsing() as driver:

        def turn(view: str) -> None:
            driver.find_element(By.CSS_SELECTOR, f"nav a[href='#{view}']").click()

        driver.get(address)
        wait_for(driver, "document.querySelectorAll('.edge.flows').length")
        driver.execute_script("document.querySelector(\".node[aria-label^='api:']\").dispatchEvent(new Event('click'))")
        wait_for(driver, "document.querySelector('.plots .line').getAttribute('d').split('L').length > 8")
        store(driver, "stack")
        driver.execute_script("document.querySelector('#details .plain').click()")
        turn("logs")
        wait_for(driver, "document.querySelectorAll('.log').length > 20")
        driver.find_element(By.CSS_SELECTOR, "#view-logs input[type=search]").send_keys("slow")
        wait_for(driver, "document.querySelector('#view-logs mark')")
        resize(driver, WIDTH, HEIGHT, dark=True)
        store(driver, "logs")
        resize(driver, WIDTH, HEIGHT)
        turn("timeline")
        wait_for(driver, "document.querySelectorAll('.part').length > 10")
        store(driver, "timeline")
        stack.file.write_text(FILE.replace(*CHANGE), encoding="utf-8")
        turn("plan")
        wait_for(driver, "document.querySelector('#view-plan .changes')")
        store(driver, "plan")
    return 0


if __name__ == "__main__":
    sys.exit(main())
