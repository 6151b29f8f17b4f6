"""The nodes that make the gallery and the page, on a store as the split stage leaves it."""

from types import SimpleNamespace

import numpy as np

from mnist_localization.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS
from mnist_localization.config import DatasetSettings, PublishSettings
from mnist_localization.pipelines.publish.nodes import collect_gallery, render_html_report
from sample_report import sample_report
from small_stores import SIDE, make_store


def test_the_page_shows_the_images_of_the_test_split(tmp_path):
    store = make_store(tmp_path, 12, seed=1, split="test")
    dataset = DatasetSettings(
        image={"height": SIDE, "width": SIDE, "channels": 1},
        class_names=("small", "large"),
        whole_pixel_boxes=True,
    )
    predictions = store.annotations.assign(
        predicted_label=0, confidence=0.5, iou=np.linspace(0, 1, 12)
    )
    predictions[list(PREDICTED_BOX_COLUMNS)] = predictions[list(BOX_COLUMNS)].to_numpy()
    settings = PublishSettings(gallery={"worst": 2, "mistakes": 3, "random": 4})

    gallery = collect_gallery(settings, dataset, 0, predictions, SimpleNamespace(store=store))

    assert [item.reason for item in gallery] == ["worst"] * 2 + ["mistake"] * 3 + ["random"] * 4
    for item in gallery:
        assert item.record.file == store.annotations["file"][item.row]
        assert np.array_equal(item.record.image, store.read([item.row])[0])

    rest = sample_report(names=("small", "large"), images=60, gallery=(0, 0, 0))
    page = render_html_report(dataset, gallery, predictions, rest.metrics, rest.history, rest.card)
    assert page.startswith("<!doctype html>")
    assert all(f"{item.record.file}: true class" in page for item in gallery)
