"""Numbers and names as text."""

from mnist_localization.reporting.html.formatting import (
    DASH,
    box_in_pixels,
    coordinate,
    count,
    percent,
    plain,
    sentence,
    shortened,
    words,
)


def test_numbers_are_rounded_and_grouped():
    assert coordinate(52.99999713) == "53"
    assert coordinate(-0.0001) == "0"
    assert count(10000) == "10\u202f000"
    assert percent(0.98765) == "98.77\u00a0%"
    assert box_in_pixels((0.04, 1.96, 10, 12.25)) == "x 0 to 10, y 2 to 12.2 (10 × 10.3 px)"  # noqa: RUF001


def test_long_names_lose_their_middle():
    assert shortened("traffic light", 13) == "traffic light"
    assert shortened("a long class name 12", 9) == "a lo…e 12"


def test_keys_and_values_are_written_as_text():
    assert words("bbox_mean_iou") == "Box mean IoU"
    assert plain([1, None, True, 0.5]) == f"1, {DASH}, yes, 0.5"
    assert sentence(["Random sample"]) == "Random sample"
    assert sentence(["Worst IoU", "Random sample"]) == "Worst IoU, random sample"
