"""The page in a real browser: every control is moved, and what is then visible is looked at."""

import copy
import json
import re

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from browser import open_browser
from sample_report import sample_report

NAMES = ("<script>alert(1)</script>", "cat", "dog")


@pytest.fixture(scope="module")
def report():
    report = sample_report(names=NAMES, images=60, gallery=(8, 4, 12))
    # A few rounded scores: so that ties and the ends of the sliders are met.
    for number, item in enumerate(report.gallery):
        object.__setattr__(item, "confidence", round(item.confidence, 1))
        if number % 5 == 0:
            object.__setattr__(item, "iou", 1.0 if number else 0.0)
    return report


@pytest.fixture(scope="module")
def address(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report.render(), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
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


def by_id(page, name):
    return page.find_element("id", name)


def visible_files(page):
    alts = page.execute_script(
        "return Array.from(document.querySelectorAll('.tile img'))"
        ".filter((it) => it.checkVisibility()).map((it) => it.alt)"
    )
    return [alt.split(":")[0] for alt in alts]


def files(items):
    return [item.record.file for item in items]


def worst_first(report):
    return sorted(report.gallery, key=lambda item: (item.iou, item.row))


def move(page, slider, percent):
    """Move a slider by keyboard, from where it is."""
    field = by_id(page, slider)
    steps = percent - round(100 * float(field.get_property("value")))
    field.send_keys(*[Keys.ARROW_RIGHT if steps > 0 else Keys.ARROW_LEFT] * abs(steps))


def boxes_drawn(page, kind):
    return page.execute_script(
        "return Array.from(document.querySelectorAll(arguments[0]))"
        ".filter((it) => it.getClientRects().length > 0).length",
        f".tile .box-{kind} .line",
    )


def count_text(page):
    return by_id(page, "count").text


def is_open(page):
    return by_id(page, "viewer").get_property("open")


def facts(page):
    return page.execute_script(
        "return Object.fromEntries(Array.from(document.querySelectorAll('#viewer-facts > div'),"
        " (it) => Array.from(it.children, (part) => part.innerText)))"
    )


def press(page, *keys):
    page.switch_to.active_element.send_keys(*keys)


def test_it_opens_from_disk_without_a_request_or_a_complaint(page, address):
    page.find_element("link text", "Images").click()
    messages = [json.loads(it["message"])["message"] for it in page.get_log("performance")]
    asked = {
        it["params"]["request"]["url"].partition("#")[0]
        for it in messages
        if it["method"] == "Network.requestWillBeSent"
    }
    # Chromium's own start page may still be loading from inside the browser.
    assert {url for url in asked if not url.startswith(("data:", "chrome:"))} == {address}
    widths = page.execute_script(
        "return Array.from(document.querySelectorAll('.tile img'), it => it.naturalWidth)"
    )
    assert set(widths) == {100}


def test_it_starts_with_everything_and_the_worst_first(page, report):
    assert visible_files(page) == files(worst_first(report))
    assert count_text(page) == "Showing 24 of 24 images"
    assert not by_id(page, "empty").is_displayed()
    assert not by_id(page, "without-script").is_displayed()


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("Worst IoU first", lambda item: (item.iou, item.row)),
        ("Most confident first", lambda item: (-item.confidence, item.row)),
        ("Class", lambda item: (item.label, item.iou, item.row)),
        ("Order of the files", lambda item: item.row),
    ],
)
def test_sorting(page, report, order, key):
    Select(by_id(page, "sort")).select_by_visible_text("Order of the files")
    Select(by_id(page, "sort")).select_by_visible_text(order)
    assert visible_files(page) == files(sorted(report.gallery, key=key))


@pytest.mark.parametrize("label", range(len(NAMES)))
def test_one_class_alone(page, report, label):
    Select(by_id(page, "class")).select_by_visible_text(NAMES[label])
    expected = [item for item in worst_first(report) if item.label == label]
    assert visible_files(page) == files(expected)
    assert count_text(page) == f"Showing {len(expected)} of 24 images"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("Worst IoU", "worst"), ("Confident mistake", "mistake"), ("Random sample", "random")],
)
def test_one_reason_alone(page, report, text, reason):
    Select(by_id(page, "reason")).select_by_visible_text(text)
    expected = [item for item in worst_first(report) if item.reason == reason]
    assert expected
    assert visible_files(page) == files(expected)


def test_mistakes_alone(page, report):
    by_id(page, "mistakes").click()
    expected = [item for item in worst_first(report) if item.label != item.predicted_label]
    assert 0 < len(expected) < 24
    assert visible_files(page) == files(expected)
    by_id(page, "mistakes").click()
    assert len(visible_files(page)) == 24


@pytest.mark.parametrize("percent", [60, 70, 100])
def test_a_least_confidence(page, report, percent):
    move(page, "min-confidence", percent)
    limit = percent / 100
    expected = [item for item in worst_first(report) if item.confidence >= limit]
    assert visible_files(page) == files(expected)
    shown = page.find_element("css selector", "output[for=min-confidence]")
    assert shown.text == f"{limit:.2f}"


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 80), (80, 100), (75, 85), (100, 100)])
def test_a_range_of_iou(page, report, low, high):
    move(page, "min-iou", low)
    move(page, "max-iou", high)
    expected = [item for item in worst_first(report) if low / 100 <= item.iou <= high / 100]
    assert visible_files(page) == files(expected)


def test_the_ends_of_the_range_never_cross(page):
    move(page, "max-iou", 40)
    move(page, "min-iou", 70)
    assert by_id(page, "max-iou").get_property("value") == "0.7"
    move(page, "max-iou", 20)
    assert by_id(page, "min-iou").get_property("value") == "0.2"


def test_controls_work_together_and_an_empty_choice_is_said(page, report):
    by_id(page, "mistakes").click()
    Select(by_id(page, "class")).select_by_visible_text("cat")
    Select(by_id(page, "sort")).select_by_visible_text("Order of the files")
    expected = [
        item
        for item in sorted(report.gallery, key=lambda item: item.row)
        if item.label == 1 and item.predicted_label != 1
    ]
    assert expected
    assert visible_files(page) == files(expected)
    move(page, "max-iou", 0)
    move(page, "min-confidence", 100)
    assert visible_files(page) == []
    assert count_text(page) == "Showing 0 of 24 images"
    assert by_id(page, "empty").is_displayed()


def test_show_all_again(page, report):
    by_id(page, "mistakes").click()
    by_id(page, "show-true").click()
    Select(by_id(page, "sort")).select_by_visible_text("Class")
    move(page, "min-iou", 90)
    page.find_element("css selector", "#controls button[type=reset]").click()
    WebDriverWait(page, 5).until(lambda it: count_text(it) == "Showing 24 of 24 images")
    assert visible_files(page) == files(worst_first(report))
    assert page.find_element("css selector", ".tile .box-true").is_displayed()


@pytest.mark.parametrize(("kind", "other"), [("true", "pred"), ("pred", "true")])
def test_each_box_is_shown_or_not(page, kind, other):
    by_id(page, f"show-{kind}").click()
    assert (boxes_drawn(page, kind), boxes_drawn(page, other)) == (0, 24)
    by_id(page, f"show-{kind}").click()
    assert (boxes_drawn(page, kind), boxes_drawn(page, other)) == (24, 24)


def test_boxes_differ_without_colour(page):
    dashes = [
        page.find_element("css selector", f".tile .box-{kind} .line").value_of_css_property(
            "stroke-dasharray"
        )
        for kind in ("true", "pred")
    ]
    assert dashes[0] == "none"
    assert dashes[1] != "none"


def test_a_box_lies_on_its_pixels_at_any_size(page, report):
    edges = page.execute_script(
        """
        return Array.from(document.querySelectorAll('.tile'), (tile) => {
          const image = tile.querySelector('img').getBoundingClientRect();
          const line = tile.querySelector('.box-true .line');
          const box = line.getBBox(), at = line.getScreenCTM();
          return [
            (at.a * box.x + at.e - image.left) / image.width,
            (at.d * box.y + at.f - image.top) / image.height,
            (at.a * (box.x + box.width) + at.e - image.left) / image.width,
            (at.d * (box.y + box.height) + at.f - image.top) / image.height,
          ];
        })
        """
    )
    for item, found in zip(worst_first(report), edges, strict=True):
        (true,) = item.record.sets["ground_truth"]
        assert found == pytest.approx(true.corners, abs=1e-4)
    image = page.find_element("css selector", ".tile img")
    assert image.value_of_css_property("image-rendering") == "pixelated"


def test_an_image_is_enlarged_with_its_numbers(page, report):
    item = worst_first(report)[2]
    page.find_elements("css selector", ".tile button")[2].click()
    assert is_open(page)
    assert by_id(page, "viewer-title").text == "Image 3 of 24"
    told = facts(page)
    assert told["File"] == item.record.file
    assert told["True class"] == NAMES[item.label]
    assert told["Predicted class"].removesuffix(" (wrong)") == NAMES[item.predicted_label]
    assert told["Confidence"] == f"{item.confidence:.4f}"
    assert told["IoU"] == f"{item.iou:.4f}"
    xmin, ymin, xmax, ymax = (round(100 * it) for it in item.record.sets["ground_truth"][0].corners)
    assert told["True box"].startswith(f"x {xmin} to {xmax}, y {ymin} to {ymax} (28")
    small, large = (
        page.find_element("css selector", f"{where} img")
        for where in (".tile:nth-child(3)", "#viewer")
    )
    assert large.size["width"] > 3 * small.size["width"]
    assert large.get_attribute("src") == small.get_attribute("src")
    by_id(page, "viewer-close").click()
    assert not is_open(page)


def test_the_viewer_goes_on_among_the_visible_images(page, report):
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


def test_boxes_are_switched_in_the_viewer_too(page):
    page.find_element("css selector", ".tile button").click()
    button = by_id(page, "viewer-pred")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not page.find_element("css selector", "#viewer .box-pred").is_displayed()
    assert page.find_element("css selector", "#viewer .box-true").is_displayed()
    press(page, Keys.ESCAPE)
    assert not by_id(page, "show-pred").is_selected()


def test_everything_can_be_done_from_the_keyboard(page, report):
    press(page, Keys.TAB)
    assert page.switch_to.active_element.text == "Skip to the images"
    press(page, Keys.ENTER)
    press(page, Keys.TAB)
    assert page.switch_to.active_element.get_attribute("id") == "show-true"
    press(page, Keys.SPACE)
    assert not page.find_element("css selector", ".tile .box-true").is_displayed()
    for _ in range(30):
        press(page, Keys.TAB)
        if (
            page.switch_to.active_element.tag_name == "button"
            and page.switch_to.active_element.find_elements("tag name", "img")
        ):
            break
    press(page, Keys.TAB)
    press(page, Keys.ENTER)
    assert by_id(page, "viewer-title").text == "Image 2 of 24"
    press(page, Keys.ARROW_RIGHT)
    press(page, Keys.ESCAPE)
    assert not is_open(page)
    # The event that moves the focus comes after the viewer is closed.
    WebDriverWait(page, 5).until(
        lambda it: it.switch_to.active_element.accessible_name.startswith(
            worst_first(report)[2].record.file
        )
    )
    outline = page.switch_to.active_element.value_of_css_property("outline-style")
    assert outline == "solid"


def test_controls_have_names_and_the_count_is_announced(page):
    for field in page.find_elements("css selector", "#controls input, #controls select"):
        assert field.accessible_name
    for button in page.find_elements("css selector", ".tile button"):
        assert re.search(r"true class .*, predicted .*, confidence .*, IoU", button.accessible_name)
    assert by_id(page, "count").get_attribute("aria-live") == "polite"
    charts = page.find_elements("css selector", "svg.chart")
    assert len(charts) >= 5
    assert all(chart.accessible_name for chart in charts)


def test_a_class_named_like_a_script_stays_text(page):
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
def test_nothing_runs_off_a_narrow_screen(page, width):
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
    told = copy.deepcopy(report)
    told.card["source"] = "synthetic"
    path = tmp_path / "report.html"
    path.write_text(told.render(), "utf-8")
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
        assert by_id(page, "count").text == "24 images"
        assert by_id(page, "without-script").is_displayed()
    finally:
        emulate(page, "setScriptExecutionDisabled", value=False)
