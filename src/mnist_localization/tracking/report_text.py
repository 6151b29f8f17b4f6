"""What the W&B Report says: the task, the scores beside the baselines, which curves."""

from collections.abc import Mapping, Sequence
from typing import Any

# Scores that a chart of their own shows, where there are such.
SHOWN_SCORES = (
    "label_accuracy",
    "mean_iou",
    "median_iou",
    "iou_at_50",
    "iou_at_75",
    "iou_at_90",
    "loc_accuracy",
    "exact_box",
)
_LISTED_CLASSES = 20


def flat_scores(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of `metrics` as `test/<score>` and `baseline/<name>/<score>`."""
    flat = {f"test/{name}": value for name, value in metrics.items() if _is_number(value)}
    for baseline, scores in _known_baselines(metrics).items():
        for name, value in scores.items():
            if _is_number(value):
                flat[f"baseline/{baseline}/{name}"] = value
    return flat


def _known_baselines(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The baselines that apply to the dataset: name to scores."""
    return {name: scores for name, scores in metrics.get("baselines", {}).items() if scores}


def task_text(class_names: Sequence[str], dataset_card: Mapping[str, Any]) -> str:
    """The task and its data, as Markdown."""
    listed = ", ".join(_code(name) for name in class_names[:_LISTED_CLASSES])
    more = ", ..." if len(class_names) > _LISTED_CLASSES else ""
    text = (
        "Each image shows one object. The model names its class and draws the box around it; "
        "the box is judged by its intersection over union (IoU) with the true one.\n\n"
        f"{len(class_names)} classes: {listed}{more}.\n\n"
        f"Dataset: source {_code(dataset_card.get('source', 'unknown'))}, "
        f"{dataset_card.get('train_images', '?')} training and "
        f"{dataset_card.get('test_images', '?')} test images."
    )
    if dataset_card.get("source") == "synthetic":
        text += (
            "\n\n**This dataset is the synthetic stand-in, made locally: its scores are not those "
            "of the published dataset.**"
        )
    return text


def result_text(metrics: Mapping[str, Any]) -> str:
    """The scores of the model beside those of the baselines, as a Markdown table."""
    columns = {"model": metrics, **_known_baselines(metrics)}
    names = [name for name in SHOWN_SCORES if _is_number(metrics.get(name))]
    lines = [
        "| score | " + " | ".join(_code(column) for column in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for name in names:
        cells = [_cell(scores.get(name)) for scores in columns.values()]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    dataset = metrics.get("dataset", {})
    scored = (
        f"Scored on {metrics.get('images', '?')} images of the split "
        f"{_code(dataset.get('split', 'test'))}, fingerprint "
        f"{_code(str(dataset.get('fingerprint', 'unknown'))[:16])}."
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


def _cell(value: Any) -> str:
    return f"{value:.4f}" if _is_number(value) else ""


def _code(text: Any) -> str:
    """The text as code: names from a dataset stay text in Markdown."""
    plain = " ".join(str(text).replace("`", "'").replace("|", "/").split())
    return f"`{plain}`"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
