"""Headless Chromium of the system, for tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

INSTALL = "apt-get install chromium chromium-driver"
REQUIRED = "MNIST_LOCALIZATION_REQUIRE_BROWSER"

_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # With smooth scrolling the page would still move when the test clicks.
    "--force-prefers-reduced-motion",
)


@contextmanager
def open_browser(profile: Path, *, width: int = 1280, height: int = 900) -> Iterator[Any]:
    """Start a browser with a new profile and quit it at the end of the block.

    Skips the test if there is no browser, or fails it if one is required.
    """
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        message = f"no chromium or chromedriver on the PATH; install them with: {INSTALL}"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(message)
        pytest.skip(message)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for switch in (*_SWITCHES, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        # Selenium must not download a driver.
        patch.setenv("SE_OFFLINE", "true")
        session = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    try:
        session.set_page_load_timeout(60)
        session.set_script_timeout(30)
        session.get("about:blank")
        yield session
    finally:
        session.quit()
