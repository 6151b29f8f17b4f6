"""The page in a browser: enlarged image, keyboard, accessible names, small screens, contrast."""

import copy
import re

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from support.dataset_cards import make_card
from support.report_page import (
    NAMES,
    by_id,
    facts,
    files,
    is_open,
    press,
    visible_files,
    worst_first,
)


def test_an_image_is_enlarged_with_its_numbers(page, report):
    item = worst_first(report)[2]
    page.find_elements("css selector", ".tile button")[2].click()
    assert is_open(page)
    assert by_id(page, "viewer-title").text == f"Image 3 of {len(report.gallery)}"
    shown = facts(page)
    assert shown["File"] == item.annotated.file
    assert shown["True class"] == NAMES[item.label]
    assert shown["Predicted class"].removesuffix(" (wrong)") == NAMES[item.predicted_label]
    assert shown["Confidence"] == f"{item.confidence:.4f}"
    assert shown["IoU"] == f"{item.iou:.4f}"
    xmin, ymin, xmax, ymax = (
        round(100 * it) for it in item.annotated.box_layers["ground_truth"][0].corners
    )
    assert shown["True box"].startswith(f"x {xmin} to {xmax}, y {ymin} to {ymax} (28")
    small, large = (
        page.find_element("css selector", f"{where} img")
        for where in (".tile:nth-child(3)", "#viewer")
    )
    assert large.size["width"] > 3 * small.size["width"]
    assert large.get_attribute("src") == small.get_attribute("src")
    by_id(page, "viewer-close").click()
    assert not is_open(page)


def test_the_viewer_steps_through_the_visible_images(page, report):
    Select(by_id(page, "class")).select_by_visible_text("dog")
    expected = files(item for item in worst_first(report) if item.label == 2)
    next(
        it for it in page.find_elements("css selector", ".tile button") if it.is_displayed()
    ).click()
    seen = [facts(page)["File"]]
    for _ in expected[1:]:
        press(page, Keys.ARROW_RIGHT)
        seen.append(facts(page)["File"])
    assert seen == expected
    by_id(page, "viewer-next").click()
    assert facts(page)["File"] == expected[0]
    by_id(page, "viewer-previous").click()
    assert facts(page)["File"] == expected[-1]
    press(page, Keys.ARROW_LEFT)
    assert facts(page)["File"] == expected[-2]


def test_the_viewer_toggles_layers(page):
    page.find_element("css selector", ".tile button").click()
    button = by_id(page, "viewer-pred")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not page.find_element("css selector", "#viewer .box-pred.line").is_displayed()
    assert page.find_element("css selector", "#viewer .box-true.line").is_displayed()
    press(page, Keys.ESCAPE)
    assert not by_id(page, "show-pred").is_selected()


def test_the_keyboard_operates_everything(page, report):
    press(page, Keys.TAB)
    assert page.switch_to.active_element.text == "Skip to the images"
    press(page, Keys.ENTER)
    press(page, Keys.TAB)
    assert page.switch_to.active_element.get_attribute("id") == "show-true"
    press(page, Keys.SPACE)
    assert not page.find_element("css selector", ".tile .box-true.line").is_displayed()
    for _ in range(30):
        press(page, Keys.TAB)
        if (
            page.switch_to.active_element.tag_name == "button"
            and page.switch_to.active_element.find_elements("tag name", "img")
        ):
            break
    press(page, Keys.TAB)
    press(page, Keys.ENTER)
    assert by_id(page, "viewer-title").text == f"Image 2 of {len(report.gallery)}"
    press(page, Keys.ARROW_RIGHT)
    press(page, Keys.ESCAPE)
    assert not is_open(page)
    # The event that moves the focus comes after the viewer is closed.
    WebDriverWait(page, 5).until(
        lambda it: it.switch_to.active_element.accessible_name.startswith(
            worst_first(report)[2].annotated.file
        )
    )
    outline = page.switch_to.active_element.value_of_css_property("outline-style")
    assert outline == "solid"


def test_controls_have_accessible_names_and_the_count_is_announced(page):
    for field in page.find_elements("css selector", "#controls input, #controls select"):
        assert field.accessible_name
    for button in page.find_elements("css selector", ".tile button"):
        assert re.search(r"true class .*, predicted .*, confidence .*, IoU", button.accessible_name)
    assert by_id(page, "count").get_attribute("aria-live") == "polite"
    charts = page.find_elements("css selector", "svg.chart")
    assert len(charts) >= 5
    assert all(chart.accessible_name for chart in charts)


def test_a_class_named_like_a_script_is_text(page):
    # An alert would make the next command fail.
    assert len(page.find_elements("tag name", "script")) == 2
    Select(by_id(page, "class")).select_by_visible_text(NAMES[0])
    next(
        it for it in page.find_elements("css selector", ".tile button") if it.is_displayed()
    ).click()
    assert facts(page)["True class"] == NAMES[0]
    assert page.find_elements("css selector", "#viewer script") == []


def emulate(page, command, **settings):
    page.execute_cdp_cmd(f"Emulation.{command}", settings)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_overflows_a_narrow_screen(page, width):
    emulate(
        page, "setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=2, mobile=True
    )
    try:
        page.refresh()
        inner, outer = page.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert (inner, outer) == (width, width)
        page.find_element("css selector", ".tile button").click()
        viewer = by_id(page, "viewer")
        assert viewer.get_property("scrollWidth") <= viewer.get_property("clientWidth")
        assert viewer.rect["width"] <= width
    finally:
        emulate(page, "clearDeviceMetricsOverride")


_CONTRASTS = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.map((v) => v / 255).map(
    (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let it = element; it; it = it.parentElement) {
    const [r, g, b, a = 1] = channels(getComputedStyle(it).backgroundColor);
    if (a === 1) return [r, g, b];
  }
  return [255, 255, 255];
};
const found = [];
const texts = "h1, h2, h3, p, dt, dd, th, td, a, label, legend, span, strong, summary, button";
for (const it of document.querySelectorAll(texts)) {
  if (!it.checkVisibility() || !it.textContent.trim()) continue;
  const [a, b] = [channels(getComputedStyle(it).color).slice(0, 3), ground(it)].map(light);
  found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), it.textContent.trim()]);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(browser, report, tmp_path, scheme):
    changed = copy.deepcopy(report)
    changed.card = make_card(source="synthetic")
    path = tmp_path / "report.html"
    path.write_text(changed.render(), "utf-8")
    emulate(
        browser, "setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    try:
        browser.get(path.as_uri())
        assert browser.find_element("class name", "banner").is_displayed()
        ratios = browser.execute_script(_CONTRASTS)
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    finally:
        emulate(browser, "setEmulatedMedia", features=[])
    assert len(ratios) > 200
    assert [it for it in ratios if it[0] < 4.5] == []
    assert (sum(map(int, re.findall(r"\d+", ground))) < 300) is (scheme == "dark")


def test_without_javascript_everything_is_shown(page, report):
    emulate(page, "setScriptExecutionDisabled", value=True)
    try:
        page.refresh()
        assert visible_files(page) == files(worst_first(report))
        assert not by_id(page, "controls").is_displayed()
        assert by_id(page, "count").text == f"{len(report.gallery)} images"
        assert by_id(page, "without-script").is_displayed()
    finally:
        emulate(page, "setScriptExecutionDisabled", value=False)
