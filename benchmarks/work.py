"""Measurements of the benchmark. Each runs in its own process to avoid mutual warm-up."""

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import tensorflow as tf

from benchmarks.configuration import Configuration
from benchmarks.notebook_loop import NotebookLoop
from benchmarks.stopwatch import Stopwatch
from mnist_localization.data.boxes import paired_iou
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.pipeline import steps_per_epoch, without_autotuning
from mnist_localization.data.images.store import ImageStore
from mnist_localization.inference import Localizer
from mnist_localization.models.architecture import Network, build_network
from mnist_localization.models.saving import load_localizer
from mnist_localization.training.loop import (
    compile_network,
    fit_network,
    hardware,
    make_repeatable,
    training_batches,
)

_GOALS = (0.9, 0.95, 0.99)


def notebook_speed(configuration: Configuration, batches: int) -> dict[str, float]:
    """Measure the training speed of the notebook loop."""
    return {"images_per_second": _notebook(configuration).images_per_second(batches)}


def notebook_epochs(configuration: Configuration, epochs: int) -> dict[str, Any]:
    """Measure the time and the scores of epochs of the notebook loop."""
    loop = _notebook(configuration)
    return {"epochs": [loop.epoch() for _ in range(epochs)]}


def our_speed(configuration: Configuration, batches: int) -> dict[str, float]:
    """Measure the training speed of this project, with its input pipeline and from memory.

    From memory, the same compiled step is fed with one constant batch.
    """
    settings = configuration.train
    store = ImageStore(configuration.split("train"))
    network = _network(configuration)
    steps, per_execution = steps_per_epoch(len(store), settings.batch_size)
    # Keras reports the end of this many steps at once, not of a single one.
    warm_up, timed = (
        math.ceil(each / per_execution) * per_execution for each in (batches / 4, batches)
    )
    phase = settings.planned_phases[0]
    compile_network(network, configuration.spec, settings, phase, len(store))
    pipeline = training_batches(network, store, settings, configuration.seed)
    batch = tf.data.Dataset.from_tensors(next(iter(pipeline.take(1)))).repeat()
    sources = {"images_per_second": pipeline, "from_memory": without_autotuning(batch)}
    rounds: dict[str, list[float]] = {name: [] for name in sources}
    for _ in range(3):
        for name, dataset in sources.items():
            stopwatch = Stopwatch(warm_up)
            network.trainable.fit(
                dataset,
                steps_per_epoch=warm_up + timed,
                shuffle=False,
                verbose=0,
                callbacks=[stopwatch],
            )
            rounds[name].append(len(store) / steps * stopwatch.batches_per_second)
    return {name: float(np.median(values)) for name, values in rounds.items()}


def our_training(configuration: Configuration) -> dict[str, Any]:
    """Train as configured until the final boxes reach each goal of mean IoU.

    The boxes are those that the saved model predicts on the validation split. The time to score
    them does not count as training time.
    """
    train, validation = (ImageStore(configuration.split(name)) for name in ("train", "validation"))
    images, truth = (
        validation.read(np.arange(len(validation))),
        validation.input_boxes.astype(float),
    )
    reached: dict[str, float | None] = {str(goal): None for goal in _GOALS}
    spent, started = 0.0, time.perf_counter()
    network: Network
    last = 0.0

    def score(_epoch: int, _logs: Mapping[str, float], localizer: Any) -> None:
        nonlocal spent, started, last
        spent += time.perf_counter() - started
        boxes = localizer.predict(images, batch_size=128, verbose=0)["bbox"]
        last = float(paired_iou(boxes.astype(float), truth).mean())
        for goal in _GOALS:
            if last >= goal and reached[str(goal)] is None:
                reached[str(goal)] = round(spent, 1)
        network.trainable.stop_training = None not in reached.values()
        started = time.perf_counter()

    make_repeatable(configuration.seed, deterministic=configuration.train.deterministic)
    with hardware(configuration.train):
        network = _network(configuration)
        result = fit_network(
            network,
            configuration.spec,
            train,
            validation,
            configuration.train.model_copy(update={"resume": False}),
            seed=configuration.seed,
            checkpoint_folder=configuration.scratch / "checkpoints",
            on_epoch_end=score,
        )
    return {
        "seconds_until_mean_iou": reached,
        "seconds": round(spent, 1),
        "epochs": len(result.history),
        "last_mean_iou": last,
    }


def latency(configuration: Configuration, repeats: int) -> dict[str, float]:
    """Measure the size of the saved model and its latency for an image, a file and a batch."""
    path = configuration.data / "06_models" / "localizer.keras"
    model, localizer = load_localizer(path), Localizer.load(path)
    store = ImageStore(configuration.split("test"))
    images = store.read(np.arange(128) % len(store))
    file = configuration.scratch / "one.png"
    Image.fromarray(images[0].squeeze()).save(file)

    def milliseconds(predict: Callable[[Any], Any], given: Any) -> float:
        predict(given)
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            predict(given)
            taken.append(time.perf_counter() - started)
        return float(np.median(taken)) * 1000

    return {
        "parameters": model.count_params(),
        "megabytes": path.stat().st_size / 1e6,
        "one_image_ms": milliseconds(model.predict_on_batch, images[:1]),
        "one_file_ms": milliseconds(localizer.predict, [file]),
        "batch_of_128_ms": milliseconds(model.predict_on_batch, images),
    }


def _notebook(configuration: Configuration) -> NotebookLoop:
    keras.utils.set_random_seed(configuration.seed)
    raw = configuration.data / "01_raw"
    card = DatasetCard.model_validate_json((raw / "dataset_card.json").read_text("utf-8"))
    tables = configuration.data / "02_intermediate"
    return NotebookLoop(
        pd.read_parquet(tables / "train_annotations.parquet"),
        pd.read_parquet(tables / "test_annotations.parquet"),
        {name: raw / card.folder / card.splits[name].images for name in ("train", "test")},
        configuration.spec,
    )


def _network(configuration: Configuration) -> Network:
    settings = configuration.train
    return build_network(settings.architecture, settings.of_architecture, configuration.spec)


_WORK: dict[str, Callable[..., dict[str, Any]]] = {
    work.__name__: work
    for work in (notebook_speed, notebook_epochs, our_speed, our_training, latency)
}


def main() -> None:
    """Run the measurement named by the first argument and print its result as the last line."""
    name, project, *numbers = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="  %(message)s")
    result = _WORK[name](Configuration(Path(project)), *map(int, numbers))
    keras.backend.clear_session()
    print(json.dumps(result))  # read by the parent process


if __name__ == "__main__":
    main()
