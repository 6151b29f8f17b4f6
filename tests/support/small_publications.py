"""Small trackers, trainings and publications for the tests."""

import dataclasses
import io
import json
import logging
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnist_localization.config.results import WandbSettings
from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.models.provenance import Provenance
from mnist_localization.reporting.gallery import GalleryItem, Reason
from mnist_localization.tracking import Publication, Receipt, RunContext, Tracker
from support.dataset_cards import make_card
from support.scoring_tables import make_metrics
from support.wandb_stub import KEY, StubServer

CLASS_NAMES = ["zero", "one", "<script>"]
FINGERPRINT = "0123456789abcdef" * 4
PARAMETERS = {
    "train": {"epochs": 2},
    "fetch": {"base_url": "http://me:pass@host/data"},
    "note": f"the key is {KEY}",
}
FOLDER = Path("data/08_reporting/wandb")
CARD = make_card(source="synthetic", train_images=80, test_images=5)
PROVENANCE = Provenance(train_fingerprint="1" * 64, validation_fingerprint="2" * 64)


class SmallLocalizer:
    """Stands for a Keras model: weights, and a file of them."""

    def __init__(self, value: float = 1.0) -> None:
        self._weights = np.full((2, 3), value, dtype=np.float32)

    def save(self, filepath: str) -> None:
        Path(filepath).write_bytes(b"keras:" + self._weights.tobytes())

    def get_weights(self) -> list[Any]:
        return [self._weights]


def record(number: int) -> AnnotatedImage:
    true, predicted = number % 3, (number + number // 4) % 3
    image = np.full((20, 30, 1), 10 * number, dtype=np.uint8)
    scores = {"confidence": 0.5 + number / 100, "iou": number / 10}
    return AnnotatedImage(
        f"image_{number}.png",
        image,
        {
            PREDICTIONS: [Box((0.1, 0.2, 0.5, 0.6), predicted, scores)],
            GROUND_TRUTH: [Box((0.1, 0.2, 0.4, 0.6), true)],
        },
    )


def publication(
    value: float = 1.0, losses: Sequence[float] = (1.0, 0.5), run: str = ""
) -> Publication:
    items = []
    chosen: list[tuple[Reason, ...]] = [("worst",), ("worst", "mistake"), ("mistake",)]
    chosen += [("random",), ("random",)]
    for number, reasons in enumerate(chosen):
        one = record(number)
        box, true = one.box_layers[PREDICTIONS][0], one.box_layers[GROUND_TRUTH][0].class_id
        items.append(
            GalleryItem(
                one,
                reasons,
                number,
                true,
                box.class_id,
                box.scores["confidence"],
                box.scores["iou"],
            )
        )
    predictions = pd.DataFrame(
        {
            "file": [item.annotated.file for item in items],
            "label": [item.label for item in items],
            "predicted_label": [item.predicted_label for item in items],
            "confidence": [item.confidence for item in items],
            "iou": [item.iou for item in items],
        }
    )
    return Publication(
        class_names=CLASS_NAMES,
        gallery=items,
        predictions=predictions,
        metrics=metrics(),
        history=history(losses),
        dataset_card=CARD,
        localizer=SmallLocalizer(value),
        page="<!doctype html><title>report</title>",
        run=run,
    )


def history(losses: Sequence[float] = (1.0, 0.5)) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": range(1, len(losses) + 1),
            "loss": losses,
            "val_loss": [loss + 0.1 for loss in losses],
            "seconds": 3.0,
        }
    )


def metrics() -> Metrics:
    scored = {"source": "synthetic", "split": "test", "images": 5, "fingerprint": FINGERPRINT}
    return make_metrics(
        scores={"label_accuracy": 0.8, "mean_iou": 0.4},
        images=5,
        dataset=scored,
        baselines={"mean_box": {"label_accuracy": 0.1, "mean_iou": 0.0995}},
    )


def settings(**changes: Any) -> WandbSettings:
    return WandbSettings.model_validate(
        {
            "mode": "auto",
            "project": "boxes",
            "entity": "",
            "group": "",
            "name": "",
            "tags": [],
            "timeout_s": 60.0,
            "link_to": "",
            "link_aliases": [],
            "epoch_sample": {"images": 4, "every": 1, "sets": [PREDICTIONS, GROUND_TRUTH]},
            **changes,
        }
    )


def make_tracker(root: Path, job_type: str = "pipeline", **changes: Any) -> Tracker:
    """Return a tracker as the hooks create it, for a project in `root`."""
    context = RunContext(
        settings=settings(**changes.pop("settings", {})),
        job_type=job_type,
        project_path=root,
        parameters=PARAMETERS,
    )
    return Tracker(dataclasses.replace(context, **changes), root / FOLDER)


def train(tracker: Tracker, epochs: int = 2, key: str = "the training") -> None:
    tracker.start_training(CARD, PROVENANCE, key)
    for epoch in range(1, epochs + 1):
        logs = {"loss": 1 / epoch, "val_label_accuracy": 0.9 - epoch / 10}
        tracker.log_epoch(epoch, logs, [record(1), record(2)], CLASS_NAMES)
    tracker.end_training()


def run_all(root: Path, **changes: Any) -> Receipt:
    """Train, evaluate and publish in one run; return the receipt."""
    tracker = make_tracker(root, **changes)
    train(tracker)
    tracker.log_scores(metrics())
    return tracker.publish(publication())


def records_of(folder: Path) -> list[dict[str, Any]]:
    """Return all records of a run, as `wandb leet inspect --json` prints them."""
    from wandb.util import get_core_path

    (file,) = folder.glob("*.wandb")
    done = subprocess.run(
        [get_core_path(), "leet", "inspect", "--json", "--run-file", str(file), str(folder)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def of_type(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one[kind] for one in records if one["type"] == kind]


def merged(records: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Merge all updates of `config` or `summary`."""
    whole: dict[str, Any] = {}
    for update in of_type(records, kind):
        whole.update(update.get("update", {}))
    return whole


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Remove keys and settings of the user, and the way to a real server."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        patch.delenv(name)
    patch.delenv("NETRC", raising=False)
    home.mkdir(parents=True, exist_ok=True)
    patch.setenv("HOME", str(home))
    patch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


class Published:
    """One complete online run: its server, project folder, receipt and log."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.server = StubServer()
        log = logging.getLogger()
        text = io.StringIO()
        handler, level = logging.StreamHandler(text), log.level
        log.addHandler(handler)
        log.setLevel(logging.DEBUG)
        try:
            with pytest.MonkeyPatch.context() as patch:
                isolate(patch, root / "home")
                patch.setenv("WANDB_BASE_URL", self.server.url)
                patch.setenv("WANDB_API_KEY", KEY)
                self.receipt = run_all(root)
        finally:
            log.removeHandler(handler)
            log.setLevel(level)
        self.log = text.getvalue()
