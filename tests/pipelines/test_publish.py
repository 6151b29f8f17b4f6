"""Node of the stage `publish`, on a store as the split stage writes it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mnist_localization.config.results import PublishSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS
from mnist_localization.errors import StaleError
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.evaluation.staleness import with_fingerprints
from mnist_localization.pipelines.publish.nodes import publish_results
from mnist_localization.tracking import Receipt
from support.kept_runs import runs_with
from support.sample_report import evaluate_settings, sample_report
from support.settings import section
from support.small_publications import SmallLocalizer
from support.small_stores import SIDE, make_store


@pytest.fixture
def dataset():
    return section(
        "dataset",
        image={"height": SIDE, "width": SIDE, "channels": 1},
        class_names=("small", "large"),
        whole_pixel_boxes=True,
    )


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, 12, seed=1, split="test")


@pytest.fixture
def predictions(store):
    """Predictions of the `SmallLocalizer` of weight 1."""
    table = store.annotations.assign(predicted_label=0, confidence=0.5, iou=np.linspace(0, 1, 12))
    table[list(PREDICTED_BOX_COLUMNS)] = table[list(BOX_COLUMNS)].to_numpy()
    return with_fingerprints(table, SmallLocalizer(1.0), store.meta)


class RecordingTracker:
    """Keeps the publication instead of publishing it."""

    def publish(self, publication, best):
        self.publication, self.best = publication, best
        return Receipt()


def results(dataset, store, predictions, weight=1.0, on_stale="error"):
    """Return the inputs of the node, but for the tracker."""
    rest = sample_report(names=("small", "large"), images=60, gallery=(0, 0, 0))
    return [
        PublishSettings(gallery={"worst": 2, "mistakes": 3, "random": 4}),
        evaluate_settings(on_stale=on_stale),
        dataset,
        0,
        ClassNames(dataset.class_names),
        predictions,
        rest.baseline_predictions,
        rest.metrics,
        rest.history,
        rest.card,
        runs_with(SmallLocalizer(weight)),
        SimpleNamespace(store=store),
    ]


def publish(*arguments, **changes):
    inputs = [*results(*arguments, **changes), RecordingTracker()]
    return publish_results(*inputs)


def test_page_and_wandb_show_the_same_images_of_the_test_split(dataset, store, predictions):
    inputs, tracker = results(dataset, store, predictions), RecordingTracker()
    page, receipt = publish_results(*[*inputs, tracker])
    assert receipt == Receipt()
    gallery = tracker.publication.gallery

    for reason, count in {"worst": 2, "mistake": 3, "random": 4}.items():
        assert sum(reason in item.reasons for item in gallery) == count
    for item in gallery:
        assert item.annotated.file == store.annotations["file"][item.row]
        assert np.array_equal(item.annotated.image, store.read([item.row])[0])

    assert page.startswith("<!doctype html>")
    assert all(f"{item.annotated.file}: true class" in page for item in gallery)
    assert tracker.publication.page == page


@pytest.mark.parametrize(("weight", "run"), [(1.0, "glimpse-1a2b3c4d"), (2.0, "")])
def test_the_run_is_published_with_the_best_run_unless_its_scores_are_stale(
    dataset, store, predictions, tmp_path, weight, run
):
    (tmp_path / "best.json").write_text('{"run": "glimpse-5e6f7a8b"}')
    inputs: list[Any] = [
        each.model_copy(update={"run": "glimpse-1a2b3c4d"}) if isinstance(each, Metrics) else each
        for each in results(dataset, store, predictions, weight, on_stale="warn")
    ]
    inputs[-2] = runs_with(SmallLocalizer(weight), tmp_path)
    tracker = RecordingTracker()
    publish_results(*[*inputs, tracker])
    assert tracker.publication.run == run
    assert tracker.best == "glimpse-5e6f7a8b"


def test_predictions_of_another_model_are_logged_or_refused(dataset, store, predictions, caplog):
    assert publish(dataset, store, predictions, weight=2.0, on_stale="warn")
    assert "Stale: the predictions were made from the localizer" in caplog.text
    with pytest.raises(StaleError, match="predictions were made from the localizer"):
        publish(dataset, store, predictions, weight=2.0)


def test_predictions_of_another_split_are_refused(dataset, store, predictions, tmp_path):
    other = make_store(tmp_path / "other", 12, seed=2, split="test")
    with pytest.raises(StaleError, match="predictions were made from the test_split"):
        publish(dataset, other, predictions)
