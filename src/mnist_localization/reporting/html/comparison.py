"""HTML page that compares runs: scores, paired tests, parameters, curves, disagreements."""

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import pandas as pd
from PIL import Image

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage
from mnist_localization.data.images.store import ImageStore
from mnist_localization.evaluation.metrics import all_metrics
from mnist_localization.evaluation.runs import RunRecord
from mnist_localization.reporting.gallery import annotated_images
from mnist_localization.reporting.html.base import asset, render
from mnist_localization.reporting.run_curves import run_curve_drawings, swatches

_TRUE = ("#7fdbff", "")


def comparison_page(
    records: Sequence[RunRecord],
    comparison: pd.DataFrame,
    tests: pd.DataFrame,
    histories: Mapping[str, pd.DataFrame],
    images: Sequence[Mapping[str, Any]],
    note: str,
) -> str:
    """Return the comparison of runs as one HTML document that needs no network.

    Args:
        records: Evaluations of the compared runs.
        comparison: The table `run_comparison`.
        tests: The table `paired_tests`.
        histories: History of each run.
        images: Results of `disagreement_images`.
        note: Why there are no tests or images, or an empty string.
    """
    return render(
        "comparison.html.jinja",
        style=asset("report.css"),
        records=records,
        metrics=[
            metric for metric in all_metrics() if any(metric.key in each.scores for each in records)
        ],
        differences=comparison[comparison["section"] == "training"].drop(columns="section"),
        tests=tests,
        curves=run_curve_drawings(histories),
        swatches={"true box": _TRUE, **swatches([each.run for each in records])},
        images=images,
        note=note,
    )


def disagreement_images(
    files: Sequence[str],
    predictions: Mapping[str, pd.DataFrame],
    store: ImageStore,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """Return for each file its picture, its boxes and what each run has predicted.

    Args:
        files: Names of images of the split.
        predictions: Name of a run and its table `predictions`.
        store: The split.
        class_names: Name of each class, in the order of the labels.
    """
    if not files:
        return []
    positions = pd.Series(range(len(store)), index=store.annotations["file"])[list(files)].tolist()
    drawn = {
        run: annotated_images(
            table.set_index("file").loc[list(files)].reset_index(), store, positions
        )
        for run, table in predictions.items()
    }
    styles = swatches(list(predictions))
    found = []
    for number, file in enumerate(files):
        each = {run: images[number] for run, images in drawn.items()}
        first = next(iter(each.values()))
        (true,) = first.box_layers[GROUND_TRUTH]
        boxes = [(_pixels(true.corners, first), _TRUE)]
        answers = []
        for run, image in each.items():
            (box,) = image.box_layers[PREDICTIONS]
            boxes.append((_pixels(box.corners, image), styles[run]))
            answers.append((run, class_names[box.class_id], box.scores["iou"]))
        found.append(
            {
                "file": file,
                "label": class_names[true.class_id],
                "picture": _data_uri(first),
                "size": first.size,
                "boxes": boxes,
                "answers": answers,
            }
        )
    return found


def _pixels(corners: Sequence[float], image: AnnotatedImage) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a box in pixels of the file."""
    height, width = image.size
    xmin, ymin, xmax, ymax = corners
    return xmin * width, ymin * height, (xmax - xmin) * width, (ymax - ymin) * height


def _data_uri(image: AnnotatedImage) -> str:
    pixels = image.image if image.image.shape[2] == 3 else image.image[:, :, 0]
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
