"""A headless Chromium from the system's packages, for the tests that look at a page."""

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
    # A page that scrolls smoothly would still be moving when the test clicks.
    "--force-prefers-reduced-motion",
)


@contextmanager
def open_browser(profile: Path, *, width: int = 1280, height: int = 900) -> Iterator[Any]:
    """A browser with a fresh profile, which ends with the block.

    Skips the test where there is no browser, or fails it where one is required.
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
        # Selenium shall never look for a driver in the network.
        patch.setenv("SE_OFFLINE", "true")
        session = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    try:
        session.set_page_load_timeout(60)
        session.set_script_timeout(30)
        session.get("about:blank")
        yield session
    finally:
        session.quit()
