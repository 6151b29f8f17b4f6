"""The page of a made-up report in a browser."""

import pytest

from support.browser import open_browser
from support.report_page import NAMES
from support.sample_report import sample_report


@pytest.fixture(scope="package")
def report():
    report = sample_report(names=NAMES, images=60, gallery=(12, 6, 12))
    # Rounded scores give ties and values at the ends of the sliders.
    for number, item in enumerate(report.gallery):
        object.__setattr__(item, "confidence", round(item.confidence, 1))
        if number % 5 == 0:
            object.__setattr__(item, "iou", 1.0 if number else 0.0)
    return report


@pytest.fixture(scope="package")
def address(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report.render(), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as session:
        yield session


@pytest.fixture
def page(browser, address):
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []
