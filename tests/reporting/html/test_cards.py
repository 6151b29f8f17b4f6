"""Tiles of the gallery: boxes are drawn and stated on the exact pixels."""

import re

import numpy as np

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.reporting.html import cards
from mnist_localization.reporting.html.cards import box_layers, layer_styles, make_tile


def item(true, predicted, shape=(100, 100, 1)):
    return item_of({GROUND_TRUTH: (Box(true, 0),), PREDICTIONS: (Box(predicted, 1),)}, shape)


def item_of(layers, shape=(100, 100, 1)):
    image = AnnotatedImage("a.png", np.zeros(shape, np.uint8), layers)
    return GalleryItem(image, ("worst",), 3, 0, 1, 0.5, 0.25)


def overlay(one):
    return cards.overlay(one.annotated, box_layers([one.annotated]))


def tile(one):
    return make_tile(one, ["zero", "one"], box_layers([one.annotated])).data


def paths(markup, kind):
    return set(re.findall(rf' d="([^"]*)" class="box-{kind} \w+"', markup))


def test_a_box_starts_at_the_edge_of_its_pixel():
    markup = overlay(item((0.53, 0.12, 0.81, 0.40), (0.0, 0.0, 1.0, 1.0)))
    assert 'viewBox="0 0 100 100"' in markup
    assert paths(markup, "true") == {"M53 12H81V40H53Z"}
    assert paths(markup, "pred") == {"M0 0H100V100H0Z"}


def test_rounding_of_32_bit_corners_does_not_move_a_box():
    corners = tuple(float(value) for value in np.array([0.53, 0.07, 0.81, 0.35], np.float32))
    assert corners[0] != 0.53
    assert paths(overlay(item(corners, corners)), "true") == {"M53 7H81V35H53Z"}


def test_boxes_of_an_oblong_image_are_scaled_along_each_axis():
    markup = overlay(item((0.5, 0.5, 0.75, 1.0), (0.1, 0.1, 0.2, 0.2), shape=(40, 200, 3)))
    assert 'viewBox="0 0 200 40"' in markup
    assert paths(markup, "true") == {"M100 20H150V40H100Z"}


def test_a_box_without_area_is_drawn():
    assert paths(overlay(item((0, 0, 1, 1), (0.2, 0.3, 0.2, 0.6))), "pred") == {"M20 30H20V60H20Z"}


def test_dark_outlines_are_below_the_lines_of_all_boxes():
    layers = re.findall(r'class="box-\w+ (\w+)"', overlay(item((0, 0, 1, 1), (0, 0, 1, 1))))
    assert layers == ["halo", "halo", "line", "line"]


def test_a_tile_states_the_boxes_in_pixels():
    data = tile(item((0.53, 0.12, 0.81, 0.4), (0.535, 0.12, 0.81, 0.4)))
    boxes = dict(data["boxes"])
    assert boxes["True box"] == "x 53 to 81, y 12 to 40 (28 × 28 px)"  # noqa: RUF001 - "times"
    assert boxes["Predicted box"].startswith("x 53.5 to 81, y 12 to 40")
    assert (data["true"], data["predicted"], data["mistake"]) == ("zero", "one", True)


LEFT, RIGHT = Box((0.1, 0.1, 0.2, 0.2), 0), Box((0.7, 0.7, 0.9, 0.9), 1)


def test_every_layer_is_drawn_and_stated_with_all_its_boxes():
    one = item_of({"second_model": (LEFT, RIGHT), PREDICTIONS: (), GROUND_TRUTH: (LEFT,)})
    markup = overlay(one)
    assert paths(markup, "true") == {"M10 10H20V20H10Z"}
    assert paths(markup, "pred") == set()
    assert paths(markup, "layer-0") == {"M10 10H20V20H10Z", "M70 70H90V90H70Z"}
    boxes = tile(one)["boxes"]
    assert [title for title, _ in boxes] == ["True box", "Predicted box", "Second model"]
    assert boxes[1][1] == "none"
    assert re.fullmatch(r"zero: x 10 to 20, .*; one: x 70 to 90, .*", boxes[2][1])


def test_an_image_without_truth_and_predictions_is_drawn():
    one = item_of({"drawn_by_hand": (RIGHT,)})
    assert paths(overlay(one), "layer-0") == {"M70 70H90V90H70Z"}
    assert [title for title, _ in tile(one)["boxes"]] == ["Drawn by hand"]
    assert tile(item_of({}))["boxes"] == []


def test_layers_of_all_images_are_listed_with_their_own_line_style():
    names = [f"model_{number}" for number in range(9)]
    images = [item_of({name: (LEFT,)}).annotated for name in names]
    layers = box_layers([item_of({PREDICTIONS: (LEFT,)}).annotated, *images, *images])
    assert [one.key for one in layers] == ["pred", *(f"layer-{number}" for number in range(9))]
    styles = re.findall(
        r"{ stroke: hsl\((\S+) 85% 68%\); stroke-dasharray: ([^;]+); }", layer_styles(layers)
    )
    assert len({hue for hue, _ in styles}) == len(set(styles)) == 9
    assert len({dashes for _, dashes in styles[:4]}) == 4
    assert layer_styles(layers[:1]) == ""


def test_an_image_with_several_reasons_states_all():
    one = item((0, 0, 1, 1), (0, 0, 1, 1))
    object.__setattr__(one, "reasons", ("worst", "mistake"))
    assert tile(one)["reason_text"] == "Worst IoU, confident mistake"
