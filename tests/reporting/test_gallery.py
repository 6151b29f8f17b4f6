"""The gallery: who is chosen, and what the records say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mnist_localization.config import GallerySettings, PublishSettings
from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS
from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS
from mnist_localization.errors import RecordError, StaleError
from mnist_localization.reporting.gallery import chosen_rows, collect


class Images:
    """Four 4x6 images whose pixels tell their row."""

    annotations = pd.DataFrame({"file": ["a.png", "b.png", "c.png", "d.png"]})

    def read(self, indices):
        return np.repeat(np.array(indices, np.uint8), 24).reshape(len(indices), 4, 6, 1)


def predictions(files="dcba", **columns):
    rows = len(files)
    table = pd.DataFrame(
        {
            "file": [f"{name}.png" for name in files],
            "label": 0,
            "predicted_label": 0,
            "confidence": 0.9,
            "iou": np.linspace(0.1, 0.9, rows),
        }
    )
    for column, value in zip(BOX_COLUMNS, (0.25, 0.5, 0.75, 1.0), strict=True):
        table[column] = value
    for column, value in zip(PREDICTED_BOX_COLUMNS, (0.2, 0.4, 0.7, 0.9), strict=True):
        table[column] = value
    return table.assign(**columns)


def asked(worst=0, mistakes=0, random=0):
    return GallerySettings(worst=worst, mistakes=mistakes, random=random)


# Few distinct values, so that ties are the rule.
outcomes = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.2, 0.6, 1.0]), st.booleans()
    ),
    max_size=40,
)
wanted = st.builds(
    GallerySettings,
    worst=st.integers(0, 12),
    mistakes=st.integers(0, 12),
    random=st.integers(0, 12),
)


def table_of(rows):
    return pd.DataFrame(
        {
            "iou": [iou for iou, _, _ in rows],
            "confidence": [confidence for _, confidence, _ in rows],
            "label": 0,
            "predicted_label": [int(wrong) for _, _, wrong in rows],
        },
        index=range(len(rows)),
    )


@given(outcomes, wanted, st.integers(0, 2**31))
def test_every_kind_is_chosen_among_all_images_and_each_image_comes_once(rows, settings, seed):
    table = table_of(rows)
    chosen = chosen_rows(table, settings, seed)

    numbers = [row for row, _ in chosen]
    assert len(set(numbers)) == len(numbers)
    kinds = ["worst", "mistake", "random"]
    assert all(list(reasons) == sorted(set(reasons), key=kinds.index) for _, reasons in chosen)
    firsts = [reasons[0] for _, reasons in chosen]
    assert firsts == sorted(firsts, key=kinds.index)

    by_iou = sorted(range(len(rows)), key=lambda row: (rows[row][0], row))
    worst = [row for row, reasons in chosen if "worst" in reasons]
    assert worst == by_iou[: settings.worst]

    wrong = [row for row in range(len(rows)) if rows[row][2]]
    wrong.sort(key=lambda row: (-rows[row][1], row))
    mistakes = {row for row, reasons in chosen if "mistake" in reasons}
    assert mistakes == set(wrong[: settings.mistakes])

    sample = [row for row, reasons in chosen if "random" in reasons]
    assert len(sample) == min(settings.random, len(rows))


def test_the_most_confident_mistake_is_one_though_it_is_among_the_worst_too():
    table = table_of([(0.9, 0.6, True), (0.0, 1.0, True), (0.5, 0.9, False)])
    chosen = chosen_rows(table, asked(worst=1, mistakes=1), 0)
    assert chosen == [(1, ("worst", "mistake"))]


def test_the_sample_depends_on_the_seed_alone():
    table = table_of([(0.5, 0.5, False)] * 200)
    first, again, other = (chosen_rows(table, asked(random=20), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_without_mistakes_there_are_none():
    chosen = chosen_rows(table_of([(0.5, 0.5, False)] * 9), asked(1, 5, 2), 0)
    assert not any("mistake" in reasons for _, reasons in chosen)


def test_records_are_found_by_file_whatever_the_order_of_the_split():
    items = collect(predictions(), Images(), asked(worst=4), ["zero"], 0)
    assert [item.record.file for item in items] == ["d.png", "c.png", "b.png", "a.png"]
    assert [item.row for item in items] == [3, 2, 1, 0]
    assert [int(item.record.image[0, 0, 0]) for item in items] == [3, 2, 1, 0]


def test_a_record_holds_both_boxes_and_the_scores_of_the_prediction():
    table = predictions("b", label=1, predicted_label=0, confidence=0.75, iou=0.5)
    (item,) = collect(table, Images(), asked(mistakes=1), ["zero", "one"], 0)
    (true,) = item.record.box_layers[GROUND_TRUTH]
    (predicted,) = item.record.box_layers[PREDICTIONS]
    assert (true.corners, true.class_id) == ((0.25, 0.5, 0.75, 1.0), 1)
    assert (predicted.corners, predicted.class_id) == ((0.2, 0.4, 0.7, 0.9), 0)
    assert predicted.scores == {"confidence": 0.75, "iou": 0.5}
    assert (item.reasons, item.label, item.predicted_label) == (("mistake",), 1, 0)
    assert (item.confidence, item.iou) == (0.75, 0.5)


def test_an_empty_gallery_is_a_gallery():
    assert collect(predictions(), Images(), asked(), ["zero"], 0) == []


def test_predictions_of_another_split_are_refused_by_name():
    with pytest.raises(StaleError, match=r"x\.png.*evaluate"):
        collect(predictions("x"), Images(), asked(worst=1), ["zero"], 0)


def test_a_box_outside_the_image_is_refused_by_name():
    with pytest.raises(RecordError, match=r"c\.png.*leaves the image"):
        collect(predictions("c", pred_xmax=1.5), Images(), asked(worst=1), ["zero"], 0)


@pytest.mark.parametrize("kind", ["worst", "mistakes", "random"])
def test_no_more_of_a_kind_are_published_than_wandb_shows(kind):
    fitting = {"worst": 1, "mistakes": 1, "random": 1, kind: 108}
    assert getattr(PublishSettings(gallery=fitting).gallery, kind) == 108
    with pytest.raises(ValidationError, match=f"{kind} is 109, but W&B shows at most 108"):
        PublishSettings(gallery=fitting | {kind: 109})
