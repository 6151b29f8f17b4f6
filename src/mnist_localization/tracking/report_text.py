"""What the W&B Report says: the task, the scores beside the baselines, which curves."""

from collections.abc import Sequence
from typing import Any

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation import Metrics

_LISTED_CLASSES = 20


def flat_scores(metrics: Metrics) -> dict[str, float]:
    """The numbers of `metrics` as `test/<score>` and `baseline/<name>/<score>`."""
    own = {**metrics.scores, "images": metrics.images}
    return {f"test/{name}": value for name, value in own.items()} | {
        f"baseline/{baseline}/{name}": value
        for baseline, scores in metrics.known_baselines.items()
        for name, value in scores.items()
    }


def task_text(class_names: Sequence[str], dataset_card: DatasetCard) -> str:
    """The task and its data, as Markdown."""
    listed = ", ".join(_code(name) for name in class_names[:_LISTED_CLASSES])
    more = ", ..." if len(class_names) > _LISTED_CLASSES else ""
    text = (
        "Each image shows one object. The model names its class and draws the box around it; "
        "the box is judged by its intersection over union (IoU) with the true one.\n\n"
        f"{len(class_names)} classes: {listed}{more}.\n\n"
        f"Dataset: source {_code(dataset_card.source)}, "
        f"{dataset_card.train_images} training and "
        f"{dataset_card.test_images} test images."
    )
    if dataset_card.source == "synthetic":
        text += (
            "\n\n**This dataset is the synthetic stand-in, made locally: its scores are not those "
            "of the published dataset.**"
        )
    return text


def result_text(metrics: Metrics) -> str:
    """The scores of the model beside those of the baselines, as a Markdown table."""
    columns = {"model": metrics.scores, **metrics.known_baselines}
    lines = [
        "| score | " + " | ".join(_code(column) for column in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for metric in metrics.known_metrics:
        values = [scores.get(metric.key) for scores in columns.values()]
        cells = ["" if value is None else metric.text(value) for value in values]
        lines.append(f"| {metric.title} | " + " | ".join(cells) + " |")
    dataset = metrics.dataset
    scored = (
        f"Scored on {metrics.images} images of the split {_code(dataset.split)}, fingerprint "
        f"{_code(dataset.fingerprint[:16])}."
    )
    return "\n".join(lines) + f"\n\n{scored}"


def curves(columns: Sequence[str]) -> dict[str, list[str]]:
    """Which curves are drawn together: title to keys of the history.

    Args:
        columns: Keras' log names.
    """
    return {
        name.replace("_", " "): [f"epoch/{name}", f"epoch/val_{name}"]
        for name in columns
        if f"val_{name}" in columns
    }


def _code(text: Any) -> str:
    """The text as code: names from a dataset stay text in Markdown."""
    plain = " ".join(str(text).replace("`", "'").replace("|", "/").split())
    return f"`{plain}`"
