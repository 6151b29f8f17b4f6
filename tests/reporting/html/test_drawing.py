"""Charts and overlays: the geometry is right, to the pixel."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.reporting.html import charts, scores, tiles
from mnist_localization.reporting.html.box_layers import box_sets, set_styles
from mnist_localization.reporting.html.formatting import (
    DASH,
    box_in_pixels,
    coordinate,
    plain,
    sentence,
    shortened,
    words,
)
from mnist_localization.reporting.html.svg import Axis, axis_for, element
from support.scoring_tables import make_metrics


def item(true, predicted, shape=(100, 100, 1)):
    return item_of({GROUND_TRUTH: (Box(true, 0),), PREDICTIONS: (Box(predicted, 1),)}, shape)


def item_of(sets, shape=(100, 100, 1)):
    record = AnnotatedImage("a.png", np.zeros(shape, np.uint8), sets)
    return GalleryItem(record, ("worst",), 3, 0, 1, 0.5, 0.25)


def overlay(one):
    return tiles.overlay(one, box_sets([one.record]))


def tile(one):
    return tiles.tile(one, ["zero", "one"], box_sets([one.record]))


def paths(markup, kind):
    return set(re.findall(rf' d="([^"]*)" class="box-{kind} \w+"', markup))


def test_a_box_starts_at_its_pixel():
    markup = overlay(item((0.53, 0.12, 0.81, 0.40), (0.0, 0.0, 1.0, 1.0)))
    assert 'viewBox="0 0 100 100"' in markup
    assert paths(markup, "true") == {"M53 12H81V40H53Z"}
    assert paths(markup, "pred") == {"M0 0H100V100H0Z"}


def test_corners_of_32_bits_are_drawn_on_the_pixel_all_the_same():
    corners = tuple(float(value) for value in np.array([0.53, 0.07, 0.81, 0.35], np.float32))
    assert corners[0] != 0.53
    assert paths(overlay(item(corners, corners)), "true") == {"M53 7H81V35H53Z"}


def test_boxes_of_an_oblong_image_are_scaled_along_each_axis():
    markup = overlay(item((0.5, 0.5, 0.75, 1.0), (0.1, 0.1, 0.2, 0.2), shape=(40, 200, 3)))
    assert 'viewBox="0 0 200 40"' in markup
    assert paths(markup, "true") == {"M100 20H150V40H100Z"}


def test_a_box_without_area_is_drawn_too():
    assert paths(overlay(item((0, 0, 1, 1), (0.2, 0.3, 0.2, 0.6))), "pred") == {"M20 30H20V60H20Z"}


def test_dark_outlines_lie_below_the_lines_of_both_boxes():
    layers = re.findall(r'class="box-\w+ (\w+)"', overlay(item((0, 0, 1, 1), (0, 0, 1, 1))))
    assert layers == ["halo", "halo", "line", "line"]


def test_a_tile_says_the_boxes_in_pixels():
    said = tile(item((0.53, 0.12, 0.81, 0.4), (0.535, 0.12, 0.81, 0.4)))
    boxes = dict(said["boxes"])
    assert boxes["True box"] == "x 53 to 81, y 12 to 40 (28 × 28 px)"  # noqa: RUF001 - "times"
    assert boxes["Predicted box"].startswith("x 53.5 to 81, y 12 to 40")
    assert (said["true"], said["predicted"], said["mistake"]) == ("zero", "one", True)


LEFT, RIGHT = Box((0.1, 0.1, 0.2, 0.2), 0), Box((0.7, 0.7, 0.9, 0.9), 1)


def test_every_set_of_a_record_is_drawn_and_told_with_all_its_boxes():
    one = item_of({"second_model": (LEFT, RIGHT), PREDICTIONS: (), GROUND_TRUTH: (LEFT,)})
    markup = overlay(one)
    assert paths(markup, "true") == {"M10 10H20V20H10Z"}
    assert paths(markup, "pred") == set()
    assert paths(markup, "set-0") == {"M10 10H20V20H10Z", "M70 70H90V90H70Z"}
    boxes = tile(one)["boxes"]
    assert [title for title, _ in boxes] == ["True box", "Predicted box", "Second model"]
    assert boxes[1][1] == "none"
    assert re.fullmatch(r"zero: x 10 to 20, .*; one: x 70 to 90, .*", boxes[2][1])


def test_a_record_without_truth_or_predictions_is_drawn():
    one = item_of({"drawn_by_hand": (RIGHT,)})
    assert paths(overlay(one), "set-0") == {"M70 70H90V90H70Z"}
    assert [title for title, _ in tile(one)["boxes"]] == ["Drawn by hand"]
    assert tile(item_of({}))["boxes"] == []


def test_sets_are_those_of_all_records_and_each_has_a_look_of_its_own():
    names = [f"model_{number}" for number in range(9)]
    records = [item_of({name: (LEFT,)}).record for name in names]
    sets = box_sets([item_of({PREDICTIONS: (LEFT,)}).record, *records, *records])
    assert [one.key for one in sets] == ["pred", *(f"set-{number}" for number in range(9))]
    looks = re.findall(
        r"{ stroke: hsl\((\S+) 85% 68%\); stroke-dasharray: ([^;]+); }", set_styles(sets)
    )
    assert len({hue for hue, _ in looks}) == len(set(looks)) == 9
    assert len({dashes for _, dashes in looks[:4]}) == 4
    assert set_styles(sets[:1]) == ""


def test_an_image_of_several_galleries_says_so():
    one = item((0, 0, 1, 1), (0, 0, 1, 1))
    object.__setattr__(one, "reasons", ("worst", "mistake"))
    assert tile(one)["reason_text"] == "Worst IoU, confident mistake"
    assert sentence(["Random sample"]) == "Random sample"


def test_elements_escape_text_and_attributes():
    assert element("a", "<b>&", title='"<') == '<a title="&#34;&lt;">&lt;b&gt;&amp;</a>'
    assert element("g", element("b", "x"), class_="c", stroke_width=1.50004) == (
        '<g class="c" stroke-width="1.5"><b>x</b></g>'
    )


finite = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)


@given(st.lists(finite, min_size=1, max_size=8))
def test_axes_hold_their_values_and_have_a_few_round_ticks(values):
    axis = axis_for(values, 200.0, 0.0)
    assert all(0 <= axis.at(value) <= 200 for value in values)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 7
    assert ticks == sorted(ticks)
    room = (axis.high - axis.low) * 1e-6
    assert all(axis.low - room <= tick <= axis.high + room for tick in ticks)


@given(st.floats(1e-6, 1.0), st.floats(2.0, 1e6))
def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis(low, factor):
    axis = Axis(low, low * factor, 0.0, 100.0, logarithmic=True)
    assert math.isclose(axis.at(low * math.sqrt(factor)), 50.0, abs_tol=1e-6)
    for tick in axis.ticks():
        assert math.isclose(math.log10(tick), round(math.log10(tick)), abs_tol=1e-9)
        assert low * (1 - 1e-9) <= tick <= low * factor * (1 + 1e-9)


def test_the_histogram_counts_every_image_once():
    iou = np.array([0.0, 0.049, 0.05, 0.5, 0.97, 1.0])
    said = re.findall(r"IoU (\S+) to (\S+): (\d+) images", charts.iou_histogram(iou))
    assert said == [
        ("0.00", "0.05", "2"),
        ("0.05", "0.10", "1"),
        ("0.50", "0.55", "1"),
        ("0.95", "1.00", "2"),
    ]


def test_bars_are_as_high_as_their_numbers():
    markup = charts.iou_histogram(np.array([0.1] * 10 + [0.6] * 40))
    low, high = (
        float(re.search(rf"{images} images</title></rect>", markup) and value)
        for images, value in zip(
            ("10", "40"), re.findall(r'width="\S+" height="(\S+)"', markup), strict=True
        )
    )
    assert math.isclose(high / low, 4.0, rel_tol=1e-3)


def test_a_few_images_beside_thousands_are_still_seen():
    markup = charts.iou_histogram(np.array([0.93] + [1.0] * 5000))
    one, most = (float(height) for height in re.findall(r' height="(\S+)" rx', markup))
    assert "Images, logarithmic" in markup
    assert one > 10
    assert 5 * one < most


def test_a_curve_has_a_point_an_epoch_and_its_partner():
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "val_loss": [3.0, math.nan, 2.0],
         "seconds": 1.0, "note": "x"}
    )  # fmt: skip
    (curve,) = charts.learning_curves(history)
    train, validation = re.findall(r'class="curve \w+"', curve)
    assert (train, validation) == ('class="curve train"', 'class="curve validation"')
    assert re.findall(r"train, epoch (\d): (\d)", curve) == [("1", "3"), ("2", "2"), ("3", "1")]
    assert re.findall(r"validation, epoch (\d): (\d)", curve) == [("1", "3"), ("3", "2")]
    assert "train: 3 in the first epoch, 1 in the last" in curve


@pytest.mark.parametrize(("last", "logarithmic"), [(0.5, False), (0.001, True), (0.0, False)])
def test_a_loss_that_falls_far_is_drawn_over_ratios(last, logarithmic):
    history = pd.DataFrame({"epoch": [1, 2], "loss": [1.0, last]})
    assert ("logarithmic" in charts.learning_curves(history)[0]) is logarithmic


def test_a_single_epoch_and_a_flat_curve_are_drawn():
    history = pd.DataFrame({"epoch": [1], "loss": [0.0], "bbox_loss": [0.25]})
    assert len(charts.learning_curves(history)) == 2


def test_the_confusion_matrix_says_truth_and_prediction():
    markup = charts.confusion_chart([[8, 2], [0, 5]], ["cat", "dog"])
    assert "True cat, predicted dog: 2 images, 20.00\u00a0% of the true class" in markup
    assert "13 of 15 images are on the diagonal" in markup
    assert markup.count('class="cell wrong') == 2


def test_the_most_confused_pairs_come_first():
    pairs = charts.most_confused([[8, 2, 0], [7, 1, 2], [0, 0, 5]], ["a", "b", "c"])
    assert [(pair["true"], pair["predicted"], pair["images"]) for pair in pairs] == [
        ("b", "a", "7"),
        ("a", "b", "2"),
        ("b", "c", "2"),
    ]
    assert pairs[0]["share"] == "70.00\u00a0%"


def test_the_best_score_of_a_row_is_marked_and_a_baseline_that_does_not_apply_left_out():
    metrics = make_metrics(
        scores={"mean_iou": 0.5, "iou_at_50": 0.4},
        intervals={"mean_iou": (0.4, 0.6)},
        baselines={"mean_box": {"mean_iou": 0.75}, "center_of_mass": None},
    )
    first, second = scores.score_rows(metrics)
    assert [(cell.text, cell.best) for cell in first.cells] == [("0.5000", False), ("0.7500", True)]
    assert first.interval == f"0.4000 {DASH} 0.6000"
    assert [(cell.text, cell.best) for cell in second.cells] == [
        ("40.00\u00a0%", True),
        (DASH, False),
    ]
    assert "0.5000 is behind the baseline “mean box” (0.7500)" in scores.verdict(metrics)


def test_numbers_and_names_are_written_for_people():
    assert coordinate(52.99999713) == "53"
    assert coordinate(-0.0001) == "0"
    assert box_in_pixels((0.04, 1.96, 10, 12.25)) == "x 0 to 10, y 2 to 12.2 (10 × 10.3 px)"  # noqa: RUF001
    assert shortened("traffic light", 13) == "traffic light"
    assert shortened("a long class name 12", 9) == "a lo…e 12"
    assert words("bbox_mean_iou") == "Box mean IoU"
    assert plain([1, None, True, 0.5]) == f"1, {DASH}, yes, 0.5"
