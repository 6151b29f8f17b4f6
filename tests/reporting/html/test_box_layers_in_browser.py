"""The page in a browser: images with other layers than truth and predictions."""

import copy
from dataclasses import replace

import pytest
from selenium.webdriver.common.keys import Keys

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, Box
from support.report_page import all_shown, boxes_drawn, by_id, count_text, facts, is_open, press

HAND = "drawn_by_hand"
HOSTILE = "<script>alert(2)</script>"


@pytest.fixture(scope="module")
def several(report):
    """Return a report with a third layer of two boxes; each layer is missing in some image."""
    changed = copy.deepcopy(report)
    hand = (Box((0.1, 0.1, 0.3, 0.3), 1), Box((0.5, 0.5, 0.9, 0.8), 2))
    changed.gallery = [
        replace(item, annotated=with_layers(item, item.annotated.box_layers | {HAND: hand}))
        for item in changed.gallery
    ]
    first, second, third = changed.gallery[:3]
    changed.gallery[:3] = [
        without(first, PREDICTIONS),
        without(second, GROUND_TRUTH),
        replace(third, annotated=with_layers(third, {HOSTILE: hand[:1]})),
    ]
    return changed


def without(item, name):
    layers = {key: boxes for key, boxes in item.annotated.box_layers.items() if key != name}
    return replace(item, annotated=with_layers(item, layers))


def with_layers(item, layers):
    return replace(item.annotated, box_layers=layers)


@pytest.fixture
def page(browser, several, tmp_path):
    browser.get_log("browser")
    path = tmp_path / "report.html"
    path.write_text(several.render(), "utf-8")
    browser.get(path.as_uri())
    yield browser
    assert browser.get_log("browser") == []


def drawn(page):
    return {key: boxes_drawn(page, key) for key in ("true", "pred", "layer-0", "layer-1")}


def test_every_layer_is_drawn_and_has_its_own_toggle(page, several):
    images = len(several.gallery)
    everything = {"true": images - 2, "pred": images - 2, "layer-0": 2 * (images - 1), "layer-1": 1}
    assert count_text(page) == all_shown(several)
    assert drawn(page) == everything
    for key in everything:
        by_id(page, f"show-{key}").click()
        assert drawn(page) == everything | {key: 0}
        by_id(page, f"show-{key}").click()
    assert drawn(page) == everything


def test_names_of_layers_are_text(page):
    labels = [it.text for it in page.find_elements("css selector", "#controls fieldset label")]
    assert labels == ["True box", "Predicted box", "Drawn by hand", HOSTILE]
    legend = [it.text for it in page.find_elements("css selector", "#gallery > .legend > span")]
    assert legend[:3] == ["True box, solid", "Predicted box, dashed", "Drawn by hand, dotted"]
    assert len(page.find_elements("tag name", "script")) == 2


def test_every_layer_has_its_own_line_style(page):
    looks = [
        tuple(
            page.find_element("css selector", f".tile .box-{key}.line").value_of_css_property(it)
            for it in ("stroke", "stroke-dasharray")
        )
        for key in ("true", "pred", "layer-0", "layer-1")
    ]
    assert len({color for color, _ in looks}) == len({dashes for _, dashes in looks}) == 4


def test_the_viewer_states_and_toggles_every_layer(page):
    page.find_element("css selector", ".tile:has(.box-pred):has(.box-layer-0) button").click()
    assert is_open(page)
    assert facts(page)["Drawn by hand"].startswith("cat: x 10 to 30, y 10 to 30")
    assert "dog: x 50 to 90, y 50 to 80" in facts(page)["Drawn by hand"]
    line = page.find_element("css selector", "#viewer .box-layer-0.line")
    assert line.is_displayed()
    by_id(page, "viewer-layer-0").click()
    assert by_id(page, "viewer-layer-0").get_attribute("aria-pressed") == "false"
    assert not line.is_displayed()
    press(page, Keys.ESCAPE)
    assert not by_id(page, "show-layer-0").is_selected()
