"""The charts of the page: small, labeled, readable in gray; colors come from the stylesheet."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from mnist_localization import evaluation
from mnist_localization.evaluation.breakdowns import CalibrationBin, RegionScores
from mnist_localization.reporting.html.formatting import (
    coordinate,
    count,
    percent,
    plain,
    ratio,
    shortened,
    words,
)
from mnist_localization.reporting.html.svg import Axis, axis_for, drawing, element

IOU_BINS = 20

# Losses that fall over more than this are drawn over equal ratios.
_LOGARITHMIC_FROM = 30.0
# Bars that differ by more than this are drawn over equal ratios too.
_UNEVEN_FROM = 100
# Beyond so many epochs the marks of a curve would hide it.
_MARKED_EPOCHS = 40
_VALIDATION = "val_"
_NO_CURVES = ("epoch", "seconds")


def learning_curves(history: pd.DataFrame) -> list[Markup]:
    """One chart for each logged metric, its training and its validation curve in it.

    Args:
        history: One row an epoch, columns `epoch` and Keras' log names.
    """
    names = [
        name
        for name in history.select_dtypes("number").columns
        if name not in _NO_CURVES and not name.startswith(_VALIDATION)
    ]
    return [_learning_curve(history, name) for name in names if np.isfinite(history[name]).any()]


def _learning_curve(history: pd.DataFrame, name: str) -> Markup:
    width, height, left, right, top, bottom = 360.0, 230.0, 50.0, 10.0, 32.0, 40.0
    columns = {"train": name, "validation": _VALIDATION + name}
    curves = {
        kind: _points(history, column) for kind, column in columns.items() if column in history
    }
    values = [value for points in curves.values() for _, value in points]
    falls = min(values) > 0 and max(values) / min(values) > _LOGARITHMIC_FROM
    y = axis_for(values, height - bottom, top, logarithmic="loss" in name and falls)
    first, last = int(history["epoch"].min()), int(history["epoch"].max())
    x = Axis(first - 0.5, last + 0.5, left, width - right)
    title = words(name)
    scale = ", logarithmic" if y.logarithmic else ""
    ends = "; ".join(
        f"{kind}: {plain(points[0][1])} in the first epoch, {plain(points[-1][1])} in the last"
        for kind, points in curves.items()
        if points
    )
    return drawing(
        f"curve-{name}",
        f"{title} by epoch",
        f"{ends}.",
        (width, height),
        *_horizontal_grid(y, left, width - right),
        *_epochs_below(x, first, last, height - bottom),
        _text((left + width - right) / 2, height - 6, "Epoch", "axis-title"),
        _text(0, 14, f"{title}{scale}", "name"),
        *(_curve(points, x, y, kind) for kind, points in curves.items()),
    )


def _points(history: pd.DataFrame, column: str) -> list[tuple[float, float]]:
    pairs = zip(history["epoch"], history[column], strict=True)
    return [(float(epoch), float(value)) for epoch, value in pairs if math.isfinite(value)]


def _curve(points: Sequence[tuple[float, float]], x: Axis, y: Axis, kind: str) -> Markup:
    at = [(x.at(epoch), y.at(value)) for epoch, value in points]
    path = "M" + "L".join(f"{left:.2f} {top:.2f}" for left, top in at)
    dots = [
        element(
            "circle",
            element("title", f"{kind}, epoch {plain(int(epoch))}: {plain(value)}"),
            cx=left,
            cy=top,
            r=2.5,
        )
        for (epoch, value), (left, top) in zip(points, at, strict=True)
        if len(points) <= _MARKED_EPOCHS
    ]
    return element("g", element("path", d=path), *dots, class_=f"curve {kind}")


def iou_histogram(iou: npt.NDArray[np.float64]) -> Markup:
    """How many images have which IoU, in bins of 0.05; the last one includes 1."""
    width, height, left, right, top, bottom = 500.0, 270.0, 66.0, 14.0, 38.0, 44.0
    counts, edges = np.histogram(iou, bins=IOU_BINS, range=(0.0, 1.0))
    x = Axis(0.0, 1.0, left, width - right)
    most = max(1, int(counts.max()))
    # Where nearly all images are in one bin, the others would be too low to be seen.
    logarithmic = bool(most > _UNEVEN_FROM * counts[counts > 0].min(initial=most))
    low = 0.5 if logarithmic else 0.0
    y = Axis(low, most * 1.04, height - bottom, top, logarithmic=logarithmic)
    bars = [
        _bar(x, y, (float(low), float(high)), int(images))
        for low, high, images in zip(edges[:-1], edges[1:], counts, strict=True)
        if images
    ]
    scale = ", logarithmic" if logarithmic else ""
    found = float((iou >= 0.5).mean())
    return drawing(
        "iou-histogram",
        "Images by IoU of predicted and true box",
        f"{count(iou.size)} images; median {ratio(float(np.median(iou)))}; "
        f"{percent(found)} have an IoU of at least 0.5.",
        (width, height),
        *_horizontal_grid(y, left, width - right),
        *(
            _text(x.at(tick / 5), height - bottom + 16, f"{tick / 5:.1f}", "tick")
            for tick in range(6)
        ),
        _text((left + width - right) / 2, height - 6, "IoU (0 no overlap, 1 exact)", "axis-title"),
        _upright(12, (top + height - bottom) / 2, f"Images{scale}", "axis-title"),
        *bars,
    )


def _bar(x: Axis, y: Axis, ends: tuple[float, float], images: int) -> Markup:
    low, high = ends
    top = y.at(images)
    rectangle = element(
        "rect",
        element("title", f"IoU {low:.2f} to {high:.2f}: {count(images)} images"),
        x=x.at(low) + 1.5, y=top, width=x.at(high) - x.at(low) - 3, height=y.start - top, rx=1.5,
    )  # fmt: skip
    # Long numbers stand upright: side by side they would run into each other.
    upright = _upright(x.at((low + high) / 2) + 4, top - 4, count(images), "value upright")
    flat = _text(x.at((low + high) / 2), top - 5, count(images), "value")
    label = upright if y.high >= 1000 else flat
    return element("g", rectangle, label, class_="bar")


def confusion_chart(matrix: Sequence[Sequence[int]], class_names: Sequence[str]) -> Markup:
    """The confusion matrix: true classes down, predicted classes across, images in the cells.

    Args:
        matrix: Number of images by true label (row) and predicted label (column).
        class_names: Name of each class, in the order of the labels.
    """
    classes = len(class_names)
    letters = min(14, max(len(name) for name in class_names))
    upright = letters > 5
    cell, left, top = 42.0, 36.0 + 7.0 * letters, 38.0 + (7.0 * letters if upright else 18.0)
    parts = []
    for label, name in enumerate(class_names):
        middle = (label + 0.5) * cell
        text = shortened(name, letters)
        parts.append(_text(left - 8, top + middle + 4, text, "tick row-name"))
        if upright:
            parts.append(_upright(left + middle + 4, top - 8, text, "tick upright"))
        else:
            parts.append(_text(left + middle, top - 10, text, "tick"))
    for true, row in enumerate(matrix):
        images = max(1, sum(row))
        for predicted, number in enumerate(row):
            said = (
                f"True {class_names[true]}, predicted {class_names[predicted]}: "
                f"{count(number)} images, {percent(number / images)} of the true class"
            )
            kind = "right" if true == predicted else "wrong"
            at = (left + predicted * cell, top + true * cell)
            text = count(number) if number else "·"
            parts.append(_cell(at, cell, number / images, text=text, said=said, kind=kind))
    total = sum(map(sum, matrix))
    right = sum(matrix[label][label] for label in range(classes))
    side = classes * cell
    return drawing(
        "confusion-matrix",
        "Confusion matrix: images by true and predicted class",
        f"{count(right)} of {count(total)} images are on the diagonal, where the class is right.",
        (left + side + 8, top + side + 8),
        _text(left + side / 2, 16, "Predicted class", "axis-title"),
        _upright(14, top + side / 2, "True class", "axis-title"),
        *parts,
    )


def most_confused(
    matrix: Sequence[Sequence[int]], class_names: Sequence[str]
) -> list[dict[str, str]]:
    """The pairs of classes that are mistaken most often, as texts.

    Returns:
        `true`, `predicted`, `images` and `share` (of the images of the true class), written.
    """
    return [
        {
            "true": class_names[pair.true],
            "predicted": class_names[pair.predicted],
            "images": count(pair.images),
            "share": percent(pair.share),
        }
        for pair in evaluation.most_confused(matrix)
    ]


def position_chart(regions: Sequence[RegionScores]) -> Markup:
    """Mean IoU by where in the image the center of the true box lies.

    Args:
        regions: Entries with `row`, `column`, `images` and `mean_iou` (none without images).
    """
    cell, left, top = 64.0, 34.0, 34.0
    parts = []
    for region in regions:
        mean = region.mean_iou
        said = (
            f"Row {region.row + 1}, column {region.column + 1}: "
            f"{count(region.images)} images, mean IoU {plain(mean)}"
        )
        at = (left + region.column * cell, top + region.row * cell)
        text = "·" if mean is None else f"{mean:.3f}"
        parts.append(_cell(at, cell, mean or 0.0, text=text, said=said, kind="right"))
    side = cell * (1 + max(region.row for region in regions))
    means = [region.mean_iou for region in regions if region.mean_iou is not None]
    return drawing(
        "iou-by-position",
        "Mean IoU by position in the image",
        f"Between {ratio(min(means))} and {ratio(max(means))}, depending on the region.",
        (left + side + 4, top + side + 4),
        _text(left + side / 2, 20, "left to right of the image", "axis-title"),
        _upright(18, top + side / 2, "bottom to top", "axis-title"),
        *parts,
    )


def reliability_chart(bins: Sequence[CalibrationBin], error: float) -> Markup:
    """Share of right labels beside the confidence that the model claimed.

    Args:
        bins: Entries with `images`, `confidence` and `accuracy` (none without images).
        error: Expected calibration error.
    """
    width, height, left, right, top, bottom = 360.0, 300.0, 54.0, 14.0, 14.0, 44.0
    x, y = Axis(0, 1, left, width - right), Axis(0, 1, height - bottom, top)
    full = [entry for entry in bins if entry.images]
    dots = [
        element(
            "circle",
            element(
                "title",
                f"{count(entry.images)} images: confidence {ratio(entry.confidence or 0.0)}, "
                f"right {percent(entry.accuracy or 0.0)}",
            ),
            cx=x.at(entry.confidence or 0.0),
            cy=y.at(entry.accuracy or 0.0),
            r=4,
        )
        for entry in full
    ]
    return drawing(
        "reliability",
        "Label accuracy by confidence",
        f"Expected calibration error {ratio(error)}: on the diagonal, confidence keeps its word.",
        (width, height),
        *_horizontal_grid(y, left, width - right),
        *(
            _text(x.at(tick / 5), height - bottom + 16, f"{tick / 5:.1f}", "tick")
            for tick in range(6)
        ),
        _text((left + width - right) / 2, height - 6, "Confidence", "axis-title"),
        _upright(12, (top + height - bottom) / 2, "Share of right labels", "axis-title"),
        element("line", x1=x.at(0), y1=y.at(0), x2=x.at(1), y2=y.at(1), class_="ideal"),
        element("g", *dots, class_="curve validation"),
    )


def share_bar(value: float, marks: Mapping[str, float] | None = None) -> Markup:
    """A value in [0, 1] as a bar of 100 units, with a tick for each mark; for the eye alone."""
    ticks = [
        element("line", x1=100 * mark, x2=100 * mark, y1=0, y2=8, class_="mark")
        for mark in (marks or {}).values()
    ]
    return element(
        "svg",
        element("rect", x=0, y=2, width=100, height=4, class_="track"),
        element("rect", x=0, y=2, width=100 * value, height=4, class_="fill"),
        *ticks,
        class_="share-bar",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )


def _cell(
    at: tuple[float, float], size: float, strength: float, *, text: str, said: str, kind: str
) -> Markup:
    left, top = at
    place = {"x": left + 1, "y": top + 1, "width": size - 2, "height": size - 2, "rx": 3.0}
    tone = "strong" if strength > 0.35 else "weak"
    opacity = 0.15 + 0.85 * math.sqrt(strength) if strength else 0.0
    return element(
        "g",
        element("title", said),
        element("rect", class_="ground", **place),
        element("rect", class_="tint", fill_opacity=opacity, **place),
        _text(left + size / 2, top + size / 2 + 4, text, "value"),
        class_=f"cell {kind} {tone}",
    )


def _horizontal_grid(y: Axis, left: float, right: float) -> list[Markup]:
    parts = []
    for value in y.ticks():
        top = y.at(value)
        parts.append(element("line", x1=left, x2=right, y1=top, y2=top, class_="grid"))
        label = count(int(value)) if abs(value) >= 1000 else f"{value:.4g}"
        parts.append(_text(left - 7, top + 4, label, "tick row-name"))
    return parts


def _epochs_below(x: Axis, first: int, last: int, top: float) -> list[Markup]:
    step = max(1, math.ceil((last - first + 1) / 8))
    return [
        _text(x.at(epoch), top + 16, str(epoch), "tick") for epoch in range(first, last + 1, step)
    ]


def _text(left: float, top: float, text: str, kind: str) -> Markup:
    return element("text", text, x=left, y=top, class_=kind)


def _upright(left: float, top: float, text: str, kind: str) -> Markup:
    place = f"translate({coordinate(left)} {coordinate(top)}) rotate(-90)"
    return element("text", text, transform=place, class_=kind)
