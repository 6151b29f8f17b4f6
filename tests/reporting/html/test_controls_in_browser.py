"""The page in a browser: every control changes what is visible."""

import json

import pytest
from selenium.webdriver.support.ui import Select, WebDriverWait

from support.report_page import (
    NAMES,
    all_shown,
    boxes_drawn,
    by_id,
    count_text,
    files,
    move,
    visible_files,
    worst_first,
)


def test_it_opens_from_disk_without_requests_or_errors(page, address):
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


def test_it_starts_with_all_images_and_the_lowest_iou_first(page, report):
    assert visible_files(page) == files(worst_first(report))
    assert count_text(page) == all_shown(report)
    assert not by_id(page, "empty").is_displayed()
    assert not by_id(page, "without-script").is_displayed()


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("Lowest IoU first", lambda item: (item.iou, item.row)),
        ("Most confident first", lambda item: (-item.confidence, item.row)),
        ("Class", lambda item: (item.label, item.iou, item.row)),
        ("File order", lambda item: item.row),
    ],
)
def test_images_are_sorted(page, report, order, key):
    Select(by_id(page, "sort")).select_by_visible_text("File order")
    Select(by_id(page, "sort")).select_by_visible_text(order)
    assert visible_files(page) == files(sorted(report.gallery, key=key))


@pytest.mark.parametrize("label", range(len(NAMES)))
def test_one_class_is_selected(page, report, label):
    Select(by_id(page, "class")).select_by_visible_text(NAMES[label])
    expected = [item for item in worst_first(report) if item.label == label]
    assert visible_files(page) == files(expected)
    assert count_text(page) == f"Showing {len(expected)} of {len(report.gallery)} images"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("Worst IoU", "worst"), ("Confident mistake", "mistake"), ("Random sample", "random")],
)
def test_one_reason_is_selected(page, report, text, reason):
    Select(by_id(page, "reason")).select_by_visible_text(text)
    expected = [item for item in worst_first(report) if reason in item.reasons]
    assert expected
    assert visible_files(page) == files(expected)


def test_an_image_with_two_reasons_is_shown_for_both(page, report):
    both = [item for item in worst_first(report) if {"worst", "mistake"} <= set(item.reasons)]
    assert both
    for text in ("Worst IoU", "Confident mistake"):
        Select(by_id(page, "reason")).select_by_visible_text(text)
        assert set(files(both)) <= set(visible_files(page))


def test_only_wrong_classes_are_shown(page, report):
    by_id(page, "mistakes").click()
    expected = [item for item in worst_first(report) if item.label != item.predicted_label]
    assert 0 < len(expected) < len(report.gallery)
    assert visible_files(page) == files(expected)
    by_id(page, "mistakes").click()
    assert len(visible_files(page)) == len(report.gallery)


@pytest.mark.parametrize("percent", [60, 70, 100])
def test_a_minimum_confidence_filters_images(page, report, percent):
    move(page, "min-confidence", percent)
    limit = percent / 100
    expected = [item for item in worst_first(report) if item.confidence >= limit]
    assert visible_files(page) == files(expected)
    shown = page.find_element("css selector", "output[for=min-confidence]")
    assert shown.text == f"{limit:.2f}"


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 80), (80, 100), (75, 85), (100, 100)])
def test_a_range_of_iou_filters_images(page, report, low, high):
    move(page, "min-iou", low)
    move(page, "max-iou", high)
    expected = [item for item in worst_first(report) if low / 100 <= item.iou <= high / 100]
    assert visible_files(page) == files(expected)


def test_minimum_and_maximum_iou_never_cross(page):
    move(page, "max-iou", 40)
    move(page, "min-iou", 70)
    assert by_id(page, "max-iou").get_property("value") == "0.7"
    move(page, "max-iou", 20)
    assert by_id(page, "min-iou").get_property("value") == "0.2"


def test_filters_combine_and_an_empty_result_has_a_message(page, report):
    by_id(page, "mistakes").click()
    Select(by_id(page, "class")).select_by_visible_text("cat")
    Select(by_id(page, "sort")).select_by_visible_text("File order")
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
    assert count_text(page) == f"Showing 0 of {len(report.gallery)} images"
    assert by_id(page, "empty").is_displayed()


def test_reset_shows_all_images(page, report):
    by_id(page, "mistakes").click()
    by_id(page, "show-true").click()
    Select(by_id(page, "sort")).select_by_visible_text("Class")
    move(page, "min-iou", 90)
    page.find_element("css selector", "#controls button[type=reset]").click()
    WebDriverWait(page, 5).until(lambda it: count_text(it) == all_shown(report))
    assert visible_files(page) == files(worst_first(report))
    assert page.find_element("css selector", ".tile .box-true.line").is_displayed()


@pytest.mark.parametrize(("kind", "other"), [("true", "pred"), ("pred", "true")])
def test_each_layer_can_be_hidden(page, report, kind, other):
    count = len(report.gallery)
    by_id(page, f"show-{kind}").click()
    assert (boxes_drawn(page, kind), boxes_drawn(page, other)) == (0, count)
    by_id(page, f"show-{kind}").click()
    assert (boxes_drawn(page, kind), boxes_drawn(page, other)) == (count, count)


def test_boxes_differ_by_their_dashes(page):
    dashes = [
        page.find_element("css selector", f".tile .box-{kind}.line").value_of_css_property(
            "stroke-dasharray"
        )
        for kind in ("true", "pred")
    ]
    assert dashes[0] == "none"
    assert dashes[1] != "none"


def test_a_box_is_on_its_pixels_at_any_size(page, report):
    edges = page.execute_script(
        """
        return Array.from(document.querySelectorAll('.tile'), (tile) => {
          const image = tile.querySelector('img').getBoundingClientRect();
          const line = tile.querySelector('.box-true.line');
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
        (true,) = item.annotated.box_layers["ground_truth"]
        assert found == pytest.approx(true.corners, abs=1e-4)
    image = page.find_element("css selector", ".tile img")
    assert image.value_of_css_property("image-rendering") == "pixelated"
