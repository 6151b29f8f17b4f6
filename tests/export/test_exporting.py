"""Tests of the export: report, tolerances, replaced files, comparison of outputs."""

import tracemalloc
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from mnist_localization.config.results import ExportSettings
from mnist_localization.data.boxes import paired_iou
from mnist_localization.errors import ModelError, StaleError
from mnist_localization.export import REPORT_COLUMNS, export_localizer
from mnist_localization.export.exporting import compare_outputs
from mnist_localization.export.formats import export_format
from mnist_localization.models.architecture import BoxStatistics, ModelSpec, build_network
from mnist_localization.registry import module_names
from support.kept_runs import runs_with
from support.settings import section
from support.small_stores import CLASS_SIDES, SIDE, make_store

ALL = list(module_names("export/formats"))
STRICT = {"probability": 0.0, "box_pixels": 0.0, "label_accuracy": 0.0, "mean_iou": 0.0}
LOOSE = dict.fromkeys(STRICT, 100.0)


def test_the_report_has_a_row_for_the_keras_model_and_for_each_format(exported):
    folder, report = exported
    assert list(report.columns) == list(REPORT_COLUMNS)
    assert list(report["format"]) == ["keras", *ALL]
    assert (report["images"] == 40).all()
    assert (report["latency_ms"] > 0).all()
    for row in report.iloc[1:].itertuples():
        files = [folder / row.file, *(folder / row.file).rglob("*")]
        assert row.size_bytes == sum(file.stat().st_size for file in files if file.is_file())
    assert sorted(path.name for path in folder.iterdir()) == sorted(report["file"].iloc[1:])


# Boxes of one size, for which the closed form holds; this adds layers to the model.
REGULAR = BoxStatistics(typical_size=(0.2, 0.2), mass_offset=(0.0, 0.0))


@pytest.mark.parametrize(
    ("box_statistics", "formats"),
    [
        (BoxStatistics(), ["litert"]),
        pytest.param(REGULAR, ["litert", "litert_int8", "saved_model"], marks=pytest.mark.slow),
        pytest.param(BoxStatistics(), ALL, marks=pytest.mark.slow),
        pytest.param(REGULAR, ["onnx"], marks=pytest.mark.slow),
    ],
    ids=["litert", "regular", "all", "regular-onnx"],
)
def test_glimpse_has_the_same_outputs_in_every_format_including_snapping(
    box_statistics, formats, trained, export, settings, tmp_path
):
    test = trained[2].store
    keras.utils.set_random_seed(2)
    spec = ModelSpec(SIDE, SIDE, 1, len(CLASS_SIDES), True, box_statistics=box_statistics)
    glimpse = build_network("glimpse", section("train").architectures["glimpse"], spec).localizer
    layers = {type(layer).__name__ for layer in glimpse.layers}
    assert ({"ForegroundWeights", "CenterOfMass"} <= layers) is (box_statistics == REGULAR)
    options = settings(formats=formats, tolerances={"litert_int8": LOOSE}, checked_images=8)
    report = export(options, tmp_path, glimpse)
    assert list(report["format"]) == ["keras", *formats]
    assert (report["images"] == 8).all()
    first = export_format(formats[0])
    predict = first.load(tmp_path / first.file_name)
    boxes = np.asarray(predict(test.read(range(8)))["bbox"])
    np.testing.assert_allclose(boxes * SIDE, np.round(boxes * SIDE), atol=1e-3)


def test_a_model_with_mixed_precision_is_exported_in_float32(trained, export, settings, tmp_path):
    localizer, test = trained[0], trained[2].store
    half = keras.models.clone_model(
        localizer,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": "mixed_float16"}
        ),
    )
    half.set_weights(localizer.get_weights())
    report = export(settings(formats=["litert"], checked_images=8), tmp_path, half)
    assert report["probability"].max() < 1e-4
    outputs = export_format("litert").load(tmp_path / "localizer.tflite")(test.read(range(8)))
    expected = localizer.predict_on_batch(test.read(range(8)))
    np.testing.assert_allclose(np.asarray(outputs["bbox"]), expected["bbox"], atol=1e-4)


def test_a_file_beyond_its_tolerance_is_an_error_and_the_old_file_stays(export, settings, tmp_path):
    before = tmp_path / "localizer_int8.tflite"
    before.write_text("an earlier export")
    options = settings(formats=["litert_int8"], tolerances={"litert_int8": STRICT})
    with pytest.raises(
        ModelError, match=r"litert_int8.*a box differs by [\d.]+ pixels \(allowed: 0\)"
    ):
        export(options, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [before.name]
    assert before.read_text() == "an earlier export"


def test_an_export_replaces_an_earlier_one_and_the_leftovers_of_a_killed_one(
    export, settings, tmp_path
):
    for name in (".part-7-saved_model", ".old-saved_model", "saved_model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "earlier").touch()
    (tmp_path / "localizer.onnx").write_text("of an earlier model")
    options = settings(formats=["saved_model"], checked_images=4)
    export(options, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model"]
    assert not (tmp_path / "saved_model" / "earlier").exists()
    assert export_format("saved_model").load(tmp_path / "saved_model")


def test_the_training_split_of_another_model_is_an_error(trained, settings, tmp_path, caplog):
    localizer, train, test = trained
    other = SimpleNamespace(store=make_store(tmp_path / "other", 40, seed=5))
    options = settings(formats=["saved_model"], checked_images=4)

    def run(on_stale):
        evaluate = section("evaluate", on_stale=on_stale)
        return export_localizer(
            options, evaluate, 1, runs_with(localizer), other, test, tmp_path / "exported"
        )

    with pytest.raises(StaleError, match=f"train split {train.store.meta.fingerprint[:12]}"):
        run("error")
    assert not (tmp_path / "exported").exists()
    assert list(run("warn")["format"]) == ["keras", "saved_model"]
    assert f"train_split on disk is {other.store.meta.fingerprint[:12]}" in caplog.text


def test_formats_and_tolerances_are_validated(settings):
    with pytest.raises(ValidationError, match="'pickle' is not a module in export/formats"):
        settings(formats=["pickle"])
    with pytest.raises(ValidationError, match="twice"):
        settings(formats=["litert", "litert"])
    with pytest.raises(ValidationError, match=r"export\.tolerances names unknown formats: litter"):
        settings(tolerances={"litter": STRICT})
    without_default = {**settings().model_dump(), "tolerances": {"litert": STRICT}}
    with pytest.raises(ValidationError, match=r"export\.tolerances needs the entry `default`"):
        ExportSettings.model_validate(without_default)


def test_a_format_without_its_own_tolerance_uses_the_default(settings):
    options = settings(tolerances={"litert": STRICT})
    assert options.tolerance("litert").box_pixels == 0.0
    assert options.tolerance("onnx") == options.tolerances["default"]


class Images:
    """Images whose first pixel is their row; the box is the left half of the image."""

    shape = (20, 10, 1)

    def __init__(self, count):
        self.labels = np.arange(count) % 3
        self.input_boxes = np.tile(np.array([0.0, 0.0, 0.5, 1.0], np.float32), (count, 1))

    def __len__(self):
        return len(self.labels)

    def read(self, indices):
        images = np.zeros((len(indices), *self.shape), np.uint8)
        images[:, 0, 0, 0] = indices
        return images


def make_images(count) -> Any:
    return Images(count)


def model(label, bbox):
    """Return a model that looks up its outputs by the row of the image."""

    def predict(images):
        rows = images[:, 0, 0, 0]
        return {"label": label[rows], "bbox": bbox[rows]}

    return predict


@pytest.fixture
def labels_and_boxes():
    random = np.random.default_rng(3)
    label = random.dirichlet(np.ones(3), 50)
    low = random.uniform(0, 0.4, (50, 2))
    return label, np.hstack([low, low + random.uniform(0.1, 0.5, (50, 2))])


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_the_batch_size_does_not_change_the_result(labels_and_boxes, batch_size):
    label, bbox = labels_and_boxes
    images, rows = make_images(50), np.arange(0, 50, 2)
    other_label, other_bbox = label[::-1], bbox + np.array([0, 0, 0.01, 0])
    other_bbox[4, 3] -= 0.2  # of 20 rows: 4 pixels
    found = compare_outputs(
        model(label, bbox), model(other_label, other_bbox), images, rows, batch_size, "x"
    )
    assert found.probability == np.abs(label - other_label)[rows].max()
    assert found.box_pixels == pytest.approx(4.0)
    assert found.label_accuracy == (label.argmax(1) == images.labels)[rows].mean()
    assert found.mean_iou == pytest.approx(paired_iou(images.input_boxes, bbox)[rows].mean())


def test_a_model_has_no_difference_from_itself_and_runs_once(labels_and_boxes):
    batches = []

    def predict(images):
        batches.append(len(images))
        return model(*labels_and_boxes)(images)

    found = compare_outputs(predict, predict, make_images(50), np.arange(50), 20, "x")
    assert (found.probability, found.box_pixels) == (0, 0)
    assert batches == [20, 20, 10]


def test_an_output_that_is_not_finite_is_an_error_with_the_format(labels_and_boxes):
    label, bbox = labels_and_boxes
    broken = bbox.copy()
    broken[40, 1] = np.nan
    with pytest.raises(ModelError, match="litert: the model returns values that are not finite"):
        compare_outputs(
            model(label, broken), model(label, bbox), make_images(50), np.arange(50), 8, "litert"
        )


def test_memory_does_not_grow_with_images_times_classes():
    classes, count = 20_000, 64

    def predict(images):
        label = np.full((len(images), classes), 1 / classes, np.float32)
        return {"label": label, "bbox": np.tile([0.0, 0.0, 0.5, 1.0], (len(images), 1))}

    def other(images):
        return predict(images)

    tracemalloc.start()
    try:
        compare_outputs(predict, other, make_images(count), np.arange(count), 2, "x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < count * classes * 4 / 2  # half of the float32 probabilities of one model
