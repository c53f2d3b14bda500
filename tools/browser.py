"""Chromium without a window, as the pictures, the measurements and the tests of the page use it.

It needs Debian's packages chromium and chromium-driver.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from selenium import webdriver

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver.chromium.webdriver import ChromiumDriver

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
)


def start_browser(profile: Path, width: int = 1280, height: int = 900) -> ChromiumDriver:
    """profile: a directory for what it writes. The caller calls ``quit``, and removes the directory."""
    options = webdriver.ChromeOptions()
    if BROWSER is not None:
        options.binary_location = BROWSER
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    resize(driver, width, height)
    return driver


def resize(driver: ChromiumDriver, width: int, height: int, *, dark: bool = False) -> None:
    """Pixels of the page itself, and the scheme that the reader prefers."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
