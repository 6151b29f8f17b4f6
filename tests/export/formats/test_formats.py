"""Tests of the export formats: what each file returns, and how a format is added."""

import io
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mnist_localization.errors import ModelError
from mnist_localization.export.formats import export_format
from mnist_localization.registry import module_names
from support.project import ROOT
from support.small_stores import CLASS_SIDES


def test_float_formats_equal_the_keras_model_and_int8_is_close_and_small(exported):
    _, report = exported
    rows = report.set_index("format")
    for name in ("saved_model", "litert", "onnx"):
        assert rows.loc[name, "probability"] < 1e-4
        assert rows.loc[name, "box_pixels"] < 1e-2
    int8 = rows.loc["litert_int8"]
    assert 1e-4 < int8["box_pixels"] < 5.0
    assert abs(int8["mean_iou"] - rows.loc["keras", "mean_iou"]) < 0.05
    assert int8["size_bytes"] < 0.5 * rows.loc["litert", "size_bytes"]


@pytest.mark.parametrize("name", module_names("export/formats"))
def test_a_file_takes_unscaled_pixels_of_any_batch_size_and_returns_probabilities_and_boxes(
    exported, trained, name
):
    folder, _ = exported
    test = trained[2].store
    predict = export_format(name).load(folder / export_format(name).file_name)
    for rows in (range(1), range(5)):
        outputs = predict(test.read(rows))
        label, bbox = np.asarray(outputs["label"]), np.asarray(outputs["bbox"])
        assert label.shape == (len(rows), len(CLASS_SIDES))
        assert bbox.shape == (len(rows), 4)
        np.testing.assert_allclose(label.sum(axis=1), 1.0, atol=0.01)
        np.testing.assert_array_equal(label.argmax(axis=1), test.labels[list(rows)])


def test_a_broken_litert_file_is_an_error_with_its_name(tmp_path):
    shutil.copyfile(__file__, tmp_path / "broken.tflite")
    with pytest.raises(ModelError, match=r"broken\.tflite"):
        export_format("litert").load(tmp_path / "broken.tflite")


def test_onnx_without_its_extra_is_an_error_with_the_install_command(
    monkeypatch, export, settings, tmp_path
):
    from mnist_localization.export.formats import onnx

    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"tf2onnx is not installed.*\[onnx\]"):
        export(settings(formats=["onnx"]), tmp_path)


TEXT_FORMAT = """
import json
from mnist_localization.export.formats import ExportFormat

def write(localizer, path, samples):
    weights = [weight.tolist() for weight in localizer.get_weights()]
    path.write_text(json.dumps({"model": localizer.to_json(), "weights": weights}))

def load(path):
    import keras
    import numpy as np
    document = json.loads(path.read_text())
    model = keras.models.model_from_json(document["model"])
    model.set_weights([np.array(weight, np.float32) for weight in document["weights"]])
    return model.predict_on_batch

FORMAT = ExportFormat("localizer.txt", write, load)
"""

EXPORT_TEXT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from mnist_localization.export import export_localizer
from mnist_localization.models.provenance import Provenance
from support.kept_runs import runs_with
from support.settings import section
from support.small_models import trained_localizer
from support.small_stores import make_store

folder = Path(sys.argv[1])
stores = make_store(folder, 32, 0), make_store(folder, 8, 1, "test")
localizer = trained_localizer(stores[0], Provenance(), epochs=1)
splits = [SimpleNamespace(store=store) for store in stores]
settings = section("export", formats=["text"], latency_runs=1)
runs = runs_with(localizer)
report = export_localizer(settings, section("evaluate"), 1, runs, *splits, folder / "exported")
print(report.to_csv(index=False))
"""


def test_a_format_is_added_by_placing_one_file(tmp_path):
    package = tmp_path / "package" / "mnist_localization"
    shutil.copytree(ROOT / "src" / "mnist_localization", package)
    (package / "export" / "formats" / "text.py").write_text(TEXT_FORMAT)
    paths = os.pathsep.join(map(str, (package.parent, ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-c", EXPORT_TEXT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(io.StringIO(done.stdout)).set_index("format")
    assert list(rows.index) == ["keras", "text"]
    assert rows.loc["text", "file"] == "localizer.txt"
    assert rows.loc["text", "box_pixels"] == 0.0
    assert (tmp_path / "exported" / "localizer.txt").is_file()
