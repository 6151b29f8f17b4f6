"""Contact sheets: images side by side, each with its boxes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mnist_localization.config.data import SplitSettings
from mnist_localization.config.results import EvaluateSettings, GallerySettings
from mnist_localization.config.train import TrainSettings
from mnist_localization.data.annotated_image import (
    GROUND_TRUTH,
    PREDICTIONS,
    AnnotatedImage,
    Box,
    validate,
)
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.boxes import pixel_corners
from mnist_localization.data.images.store import SplitDataset
from mnist_localization.reporting.gallery import annotated_images, collect

# Matplotlib is imported only when a sheet is drawn, so that pipelines can name these nodes.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 6
_CAPTION = 38  # letters that fit above a tile

# A wide light line below a thin dark dashed line: both are visible, also in grayscale and if the
# boxes coincide.
_LINES: dict[str, dict[str, Any]] = {
    GROUND_TRUTH: {"color": "#7fdbff", "linewidth": 2.6, "linestyle": "solid"},
    PREDICTIONS: {"color": "#ff4136", "linewidth": 1.3, "linestyle": (0, (3, 2))},
}
_LEGEND = {GROUND_TRUTH: "true box (solid)", PREDICTIONS: "predicted box (dashed)"}


def prediction_sheets(
    settings: EvaluateSettings,
    seed: int,
    class_names: ClassNames,
    predictions: pd.DataFrame,
    test_split: SplitDataset,
) -> tuple[Any, Any]:
    """Draw test images with true and predicted boxes as Matplotlib figures.

    Returns:
        The images with the lowest IoU, and a random sample.
    """
    count = min(settings.contact_sheet, len(predictions))
    names = class_names.root

    def sheet(which: str, **kinds: int) -> "Figure":
        choice = GallerySettings(**{"worst": 0, "mistakes": 0, "random": 0, **kinds})
        items = collect(predictions, test_split.store, choice, names, seed)
        title = f"{count} of {len(predictions):,} test images, {which}"
        return contact_sheet([item.annotated for item in items], names, title)

    return sheet("lowest IoU first", worst=count), sheet("random sample", random=count)


def annotation_sample(
    settings: SplitSettings, seed: int, class_names: ClassNames, train_split: SplitDataset
) -> Any:
    """Draw a random sample of the training split with its true boxes as a Matplotlib figure."""
    store = train_split.store
    rows = store.sample(settings.contact_sheet, seed)
    annotations = store.read_annotations(rows)
    images = validate(annotated_images(annotations, store, rows.tolist()), class_names.root)
    title = (
        f"{len(rows)} of {len(store):,} images of the {store.meta.split} split (source: "
        f"{store.meta.source}), random sample with true boxes"
    )
    return contact_sheet(images, class_names.root, title)


def augmentation_sample(
    train: TrainSettings,
    settings: SplitSettings,
    seed: int,
    class_names: ClassNames,
    train_split: SplitDataset,
) -> Any:
    """Draw a random sample of the training images as augmented in the first epoch.

    All images of the sample are augmented, not only the configured share.
    """
    # TensorFlow is imported only when the sheet is drawn.
    from mnist_localization.data.images.pipeline import random_keys
    from mnist_localization.models.architecture import resolve_settings
    from mnist_localization.training.augmentation import make_augmentation

    store = train_split.store
    configured = resolve_settings(train, len(store)).augmentation
    rows = store.sample(settings.contact_sheet, seed)
    images, boxes = store.read(rows), store.input_boxes[rows]
    text = "not augmented, because train.augmentation turns off all changes"
    all_of_them = configured.model_copy(update={"share": 1.0})
    if configured.share and (augment := make_augmentation(store, all_of_them, seed)):
        changed = augment(images, boxes, random_keys(seed, 0, rows))
        images, boxes = (tensor.numpy() for tensor in changed)
        text = f"augmented as {100 * configured.share:g} % of the images of an epoch"
    files = store.read_annotations(rows)["file"]
    drawn = [
        AnnotatedImage(file, image, {GROUND_TRUTH: (Box(tuple(box), label),)})
        for file, image, box, label in zip(
            files, images, boxes.clip(0, 1).tolist(), store.labels[rows].tolist(), strict=True
        )
    ]
    title = f"{len(rows)} of {len(store):,} training images, {text}, with true boxes"
    return contact_sheet(validate(drawn, class_names.root), class_names.root, title)


def contact_sheet(
    images: Sequence[AnnotatedImage], class_names: Sequence[str], title: str
) -> "Figure":
    """Draw images in rows of six, each with its true and predicted box.

    Pixel `i` covers `i` to `i + 1`, so a box with xmin = 0.53 of a width of 100 starts at the left
    edge of pixel 53. Images of several sizes share no axes: their captions state the sizes.

    Args:
        images: Images to show; layers other than ground truth and predictions are left out.
        class_names: Name of each class, in the order of the labels.
        title: Title of the sheet.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(_COLUMNS, max(1, len(images)))
    rows = max(1, math.ceil(len(images) / columns))
    shared = len({image.size for image in images}) <= 1
    captions = [_caption(image, class_names, shared) for image in images]
    lines = max((1 + caption.count("\n") for caption in captions), default=1)
    # In inches: tiles of 1.75 with captions, and room for a line of title and legend.
    size = max(9.0, 1.8 * columns + 0.6), (1.75 + 0.15 * lines) * rows + 1.0
    figure = Figure(figsize=size, dpi=100, layout="compressed")
    tiles = figure.subplots(rows, columns, squeeze=False).ravel()
    for tile in tiles[len(images) :]:
        tile.set_axis_off()
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        _draw(tiles[index], image, caption)
        left, below = index % columns == 0, index >= len(tiles) - columns
        tiles[index].tick_params(labelleft=shared and left, labelbottom=shared and below)
    shown = [name for name in _LINES if any(name in image.box_layers for image in images)]
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel("x (pixels)", fontsize=9)
    figure.supylabel("y (pixels)", fontsize=9)
    figure.legend(
        handles=[Line2D([], [], **_LINES[name], label=_LEGEND[name]) for name in shown],
        loc="upper right",
        ncols=2,
        facecolor="#444444",
        labelcolor="white",
        fontsize=8,
    )
    return figure


def _draw(tile: "Axes", image: AnnotatedImage, caption: str) -> None:
    from matplotlib.patches import Rectangle

    height, width = image.size
    tile.imshow(
        image.image if image.image.shape[2] == 3 else image.image[:, :, 0],
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(0, width, height, 0),
        interpolation="nearest",
    )
    for name, line in _LINES.items():
        for box in image.box_layers.get(name, ()):
            (xmin, ymin, xmax, ymax), *_ = pixel_corners(box.corners, height, width)
            tile.add_patch(Rectangle((xmin, ymin), xmax - xmin, ymax - ymin, fill=False, **line))
    tile.set_title(caption, fontsize=6.5, pad=2)
    tile.set_xticks([0, width // 2, width])
    tile.set_yticks([0, height // 2, height])
    tile.tick_params(labelsize=6.5, length=2, pad=1)
    first, _, last = tile.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _caption(image: AnnotatedImage, class_names: Sequence[str], shared: bool) -> str:
    height, width = image.size
    lines = [image.file if shared else f"{image.file} ({width} x {height})"]
    true = "".join(
        f"true {class_names[box.class_id]}" for box in image.box_layers.get(GROUND_TRUTH, ())
    )
    for box in image.box_layers.get(PREDICTIONS, ()):
        predicted = (
            f"predicted {class_names[box.class_id]} ({100 * box.scores['confidence']:.0f} %), "
            f"IoU {box.scores['iou']:.2f}"
        )
        whole = f"{true}, {predicted}"
        lines += [whole] if len(whole) <= _CAPTION else [true, predicted]
    return "\n".join(lines if PREDICTIONS in image.box_layers else [*lines, true])
