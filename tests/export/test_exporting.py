import shutil

import keras
import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from mnist_localization.errors import ModelError
from mnist_localization.export import REPORT_COLUMNS, export_localizer
from mnist_localization.export.formats import FORMATS
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.statistics import BoxStatistics
from support.project import ROOT
from support.small_stores import CLASS_SIDES, SIDE

ALL = ["saved_model", "litert", "litert_int8", "onnx"]
STRICT = {"probability": 0.0, "box_pixels": 0.0, "label_accuracy": 0.0, "mean_iou": 0.0}
LOOSE = dict.fromkeys(STRICT, 100.0)


@pytest.fixture(scope="module")
def exported(trained, settings, tmp_path_factory):
    """The small localizer in every format: the folder and the report."""
    folder = tmp_path_factory.mktemp("exported")
    return folder, export_localizer(*trained, settings(formats=ALL), folder, seed=1)


def test_the_report_has_a_row_for_the_keras_model_and_one_for_each_format(exported):
    folder, report = exported
    assert list(report.columns) == list(REPORT_COLUMNS)
    assert list(report["format"]) == ["keras", *ALL]
    assert (report["images"] == 40).all()
    assert (report["latency_ms"] > 0).all()
    for row in report.iloc[1:].itertuples():
        files = [folder / row.file, *(folder / row.file).rglob("*")]
        assert row.size_bytes == sum(file.stat().st_size for file in files if file.is_file())
    assert sorted(path.name for path in folder.iterdir()) == sorted(report["file"].iloc[1:])


def test_float_formats_equal_the_keras_model_and_int8_is_near_and_small(exported):
    _, report = exported
    rows = report.set_index("format")
    for name in ("saved_model", "litert", "onnx"):
        assert rows.loc[name, "probability"] < 1e-4
        assert rows.loc[name, "box_pixels"] < 1e-2
    int8 = rows.loc["litert_int8"]
    assert 1e-4 < int8["box_pixels"] < 5.0
    assert abs(int8["mean_iou"] - rows.loc["keras", "mean_iou"]) < 0.05
    assert int8["size_bytes"] < 0.5 * rows.loc["litert", "size_bytes"]


@pytest.mark.parametrize("name", ALL)
def test_a_file_takes_raw_pixels_of_any_batch_and_gives_probabilities_and_boxes(
    exported, trained, name
):
    folder, _ = exported
    _, _, test = trained
    predict = FORMATS[name].load(folder / FORMATS[name].file_name)
    for rows in (range(1), range(5)):
        outputs = predict(test.read(rows))
        label, bbox = np.asarray(outputs["label"]), np.asarray(outputs["bbox"])
        assert label.shape == (len(rows), len(CLASS_SIDES))
        assert bbox.shape == (len(rows), 4)
        np.testing.assert_allclose(label.sum(axis=1), 1.0, atol=0.01)
        np.testing.assert_array_equal(label.argmax(axis=1), test.labels[list(rows)])


# Boxes of one size, and where the closed form holds: that adds layers to the model.
REGULAR = BoxStatistics(typical_size=(0.2, 0.2), mass_offset=(0.0, 0.0))


@pytest.mark.parametrize(
    ("box_statistics", "formats"),
    [
        (BoxStatistics(), ["litert"]),
        (REGULAR, ["litert", "litert_int8", "saved_model"]),
        pytest.param(BoxStatistics(), ALL, marks=pytest.mark.slow),
        pytest.param(REGULAR, ["onnx"], marks=pytest.mark.slow),
    ],
    ids=["litert", "regular", "all", "regular-onnx"],
)
def test_glimpse_has_the_same_answers_in_every_format_snapping_included(
    box_statistics, formats, trained, settings, tmp_path
):
    _, training, test = trained
    keras.utils.set_random_seed(2)
    spec = ModelSpec(SIDE, SIDE, 1, len(CLASS_SIDES), True, box_statistics=box_statistics)
    document = yaml.safe_load((ROOT / "conf/base/parameters_train.yml").read_text("utf-8"))
    architectures = document["train"]["architectures"]
    glimpse = build_network("glimpse", architectures["glimpse"], spec).localizer
    layers = {type(layer).__name__ for layer in glimpse.layers}
    assert ({"ForegroundWeights", "CenterOfMass"} <= layers) is (box_statistics == REGULAR)
    tolerances = settings().tolerances | {"litert_int8": LOOSE}
    options = settings(formats=formats, tolerances=tolerances, checked_images=8)
    report = export_localizer(glimpse, training, test, options, tmp_path, seed=1)
    assert list(report["format"]) == ["keras", *formats]
    assert (report["images"] == 8).all()
    first = FORMATS[formats[0]]
    predict = first.load(tmp_path / first.file_name)
    boxes = np.asarray(predict(test.read(range(8)))["bbox"])
    np.testing.assert_allclose(boxes * SIDE, np.round(boxes * SIDE), atol=1e-3)


def test_a_model_of_mixed_precision_is_exported_as_it_computes_in_float32(
    trained, settings, tmp_path
):
    localizer, training, test = trained
    half = keras.models.clone_model(
        localizer,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": "mixed_float16"}
        ),
    )
    half.set_weights(localizer.get_weights())
    report = export_localizer(
        half, training, test, settings(formats=["litert"], checked_images=8), tmp_path, seed=1
    )
    assert report["probability"].max() < 1e-4
    outputs = FORMATS["litert"].load(tmp_path / "localizer.tflite")(test.read(range(8)))
    expected = localizer.predict_on_batch(test.read(range(8)))
    np.testing.assert_allclose(outputs["bbox"], expected["bbox"], atol=1e-4)


def test_a_file_beyond_its_tolerance_is_an_error_and_the_old_file_stays(
    trained, settings, tmp_path
):
    before = tmp_path / "localizer_int8.tflite"
    before.write_text("an earlier export")
    options = settings(formats=["litert_int8"], tolerances={"litert_int8": STRICT})
    with pytest.raises(
        ModelError, match=r"litert_int8.*a box differs by [\d.]+ pixels \(allowed: 0\)"
    ):
        export_localizer(*trained, options, tmp_path, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == [before.name]
    assert before.read_text() == "an earlier export"


def test_an_export_replaces_an_earlier_one_and_what_a_killed_one_left(trained, settings, tmp_path):
    for name in (".part-saved_model", ".old-saved_model", "saved_model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "earlier").touch()
    (tmp_path / "localizer.onnx").write_text("of an earlier model")
    options = settings(formats=["saved_model"], checked_images=4)
    export_localizer(*trained, options, tmp_path, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model"]
    assert not (tmp_path / "saved_model" / "earlier").exists()
    assert FORMATS["saved_model"].load(tmp_path / "saved_model")


def test_a_broken_litert_file_is_an_error_that_names_it(tmp_path):
    shutil.copyfile(__file__, tmp_path / "broken.tflite")
    with pytest.raises(ModelError, match=r"broken\.tflite"):
        FORMATS["litert"].load(tmp_path / "broken.tflite")


def test_onnx_without_its_extra_says_how_to_install_it(monkeypatch, trained, settings, tmp_path):
    from mnist_localization.export import onnx

    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"tf2onnx is not installed.*\[onnx\]"):
        export_localizer(*trained, settings(formats=["onnx"]), tmp_path, seed=1)


def test_a_format_without_a_tolerance_or_twice_is_refused(settings):
    with pytest.raises(ValidationError, match=r"export\.tolerances has no entry for onnx"):
        settings(formats=["onnx"], tolerances={})
    with pytest.raises(ValidationError, match="twice"):
        settings(formats=["litert", "litert"])
