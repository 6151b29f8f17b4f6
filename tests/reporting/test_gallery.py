"""The gallery: which images are chosen, and what is shown of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from mnist_localization.config.results import GallerySettings, PublishSettings
from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS
from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.images.store_writer import SplitSpec, write_store
from mnist_localization.errors import RecordError, StaleError
from mnist_localization.evaluation.predictions import predict_store
from mnist_localization.reporting.gallery import (
    EpochSample,
    annotated_images,
    choose_rows,
    collect,
)
from support.settings import image_settings, section


class Images:
    """Four images of 4x6 pixels whose values are their row."""

    annotations = pd.DataFrame({"file": ["a.png", "b.png", "c.png", "d.png"]})

    def read_annotations(self, indices):
        return self.annotations.iloc[list(indices)]

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


# Few distinct values, so that ties are frequent.
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
def test_every_kind_is_chosen_from_all_images_and_each_image_is_shown_once(rows, settings, seed):
    table = table_of(rows)
    chosen = choose_rows(table, settings, seed)

    kinds = ["worst", "mistake", "random"]
    assert all(
        list(reasons) == sorted(set(reasons), key=kinds.index) for reasons in chosen.values()
    )
    firsts = [reasons[0] for reasons in chosen.values()]
    assert firsts == sorted(firsts, key=kinds.index)

    by_iou = sorted(range(len(rows)), key=lambda row: (rows[row][0], row))
    worst = [row for row, reasons in chosen.items() if "worst" in reasons]
    assert worst == by_iou[: settings.worst]

    wrong = [row for row in range(len(rows)) if rows[row][2]]
    wrong.sort(key=lambda row: (-rows[row][1], row))
    mistakes = {row for row, reasons in chosen.items() if "mistake" in reasons}
    assert mistakes == set(wrong[: settings.mistakes])

    sample = [row for row, reasons in chosen.items() if "random" in reasons]
    assert len(sample) == min(settings.random, len(rows))


def test_the_most_confident_mistake_can_also_be_one_of_the_worst():
    table = table_of([(0.9, 0.6, True), (0.0, 1.0, True), (0.5, 0.9, False)])
    chosen = choose_rows(table, asked(worst=1, mistakes=1), 0)
    assert chosen == {1: ("worst", "mistake")}


def test_the_sample_depends_only_on_the_seed():
    table = table_of([(0.5, 0.5, False)] * 200)
    first, again, other = (choose_rows(table, asked(random=20), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_without_mistakes_none_are_chosen():
    chosen = choose_rows(table_of([(0.5, 0.5, False)] * 9), asked(1, 5, 2), 0)
    assert not any("mistake" in reasons for reasons in chosen.values())


def test_images_are_found_by_file_in_any_order_of_the_split():
    items = collect(predictions(), Images(), asked(worst=4), ["zero"], 0)
    assert [item.annotated.file for item in items] == ["d.png", "c.png", "b.png", "a.png"]
    assert [item.row for item in items] == [3, 2, 1, 0]
    assert [int(item.annotated.image[0, 0, 0]) for item in items] == [3, 2, 1, 0]


def test_an_image_has_both_boxes_and_the_scores_of_the_prediction():
    table = predictions("b", label=1, predicted_label=0, confidence=0.75, iou=0.5)
    (item,) = collect(table, Images(), asked(mistakes=1), ["zero", "one"], 0)
    (true,) = item.annotated.box_layers[GROUND_TRUTH]
    (predicted,) = item.annotated.box_layers[PREDICTIONS]
    assert (true.corners, true.class_id) == ((0.25, 0.5, 0.75, 1.0), 1)
    assert (predicted.corners, predicted.class_id) == ((0.2, 0.4, 0.7, 0.9), 0)
    assert predicted.scores == {"confidence": 0.75, "iou": 0.5}
    assert (item.reasons, item.label, item.predicted_label) == (("mistake",), 1, 0)
    assert (item.confidence, item.iou) == (0.75, 0.5)


def test_an_empty_gallery_is_possible():
    assert collect(predictions(), Images(), asked(), ["zero"], 0) == []


def test_predictions_of_another_split_are_an_error_with_the_file():
    with pytest.raises(StaleError, match=r"x\.png.*evaluate"):
        collect(predictions("x"), Images(), asked(worst=1), ["zero"], 0)


def test_a_box_outside_the_image_is_an_error_with_the_file():
    with pytest.raises(RecordError, match=r"c\.png.*leaves the image"):
        collect(predictions("c", pred_xmax=1.5), Images(), asked(worst=1), ["zero"], 0)


@pytest.mark.parametrize("kind", ["worst", "mistakes", "random"])
def test_no_more_images_of_a_kind_are_published_than_wandb_shows(kind):
    fitting = {"worst": 1, "mistakes": 1, "random": 1, kind: 108}
    assert getattr(PublishSettings(gallery=fitting).gallery, kind) == 108
    with pytest.raises(ValidationError, match=f"{kind} is 109, but W&B shows at most 108"):
        PublishSettings(gallery=fitting | {kind: 109})


@pytest.fixture
def letterbox_store(tmp_path):
    """Return a store of three bright squares in images that are fitted into 40x40 pixels."""
    rows = []
    for number, (height, width) in enumerate([(40, 40), (20, 80), (60, 30)]):
        pixels = np.zeros((height, width), np.uint8)
        pixels[4:14, 6:16] = 200
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append((f"{number}.png", 0, 6 / width, 4 / height, 16 / width, 14 / height))
    table = pd.DataFrame(rows, columns=["file", "label", *BOX_COLUMNS])
    image = image_settings(40, 40, letterbox=True)
    spec = SplitSpec("train", "folder", "train", table, tmp_path, "key", image, 1.0)
    write_store(spec, tmp_path / "store")
    return ImageStore(tmp_path / "store")


def predict_wrong_way(images):
    """Predict corners beyond the image and in the wrong order, as an untrained model may."""
    bbox = np.tile([-0.2, 0.7, 0.6, 0.3], (len(images), 1))
    label = np.tile([0.75, 0.25], (len(images), 1))
    return {"label": label, "bbox": bbox, "bbox_raw": bbox}


def test_the_dataset_images_have_only_true_boxes_in_the_frame_of_the_file(letterbox_store):
    images = annotated_images(
        letterbox_store.annotations, letterbox_store, range(len(letterbox_store))
    )
    for image, size in zip(images, [(40, 40), (20, 80), (60, 30)], strict=True):
        assert image.size == size
        assert image.image.shape[1] / image.image.shape[0] == pytest.approx(size[1] / size[0])
        assert list(image.box_layers) == [GROUND_TRUTH]
        (true,) = image.box_layers[GROUND_TRUTH]
        height, width = size
        assert true.corners == pytest.approx((6 / width, 4 / height, 16 / width, 14 / height))


def test_the_epoch_sample_agrees_with_the_table_of_predictions(letterbox_store):
    settings = section("wandb", epoch_sample={"images": 3}).epoch_sample
    table = predict_store(predict_wrong_way, letterbox_store, 2)
    sample = EpochSample(letterbox_store, settings, seed=1).predict(predict_wrong_way)
    assert [image.file for image in sample] == table["file"].tolist()
    for image, row in zip(sample, table.to_dict("records"), strict=True):
        (predicted,) = image.box_layers[PREDICTIONS]
        assert list(predicted.corners) == [row[column] for column in PREDICTED_BOX_COLUMNS]
        assert predicted.scores == {"confidence": 0.75, "iou": row["iou"]}


def test_the_epoch_sample_is_fixed_by_its_seed_and_shows_the_requested_layers(letterbox_store):
    settings = section("wandb", epoch_sample={"images": 2, "sets": ["predictions"]}).epoch_sample

    def files(seed):
        sample = EpochSample(letterbox_store, settings, seed).predict(predict_wrong_way)
        assert all(list(image.box_layers) == [PREDICTIONS] for image in sample)
        return [image.file for image in sample]

    assert files(1) == files(1)
    assert len({tuple(files(seed)) for seed in range(10)}) > 1
