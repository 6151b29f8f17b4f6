"""A look at a dataset before any training."""

import numpy as np
from matplotlib.figure import Figure

from mnist_localization.config import DatasetSettings
from mnist_localization.data.annotated_image import GROUND_TRUTH, AnnotatedImage, Box, validate
from mnist_localization.data.boxes import input_corners
from mnist_localization.data.images import ImageStore
from mnist_localization.reporting.contact_sheet import contact_sheet


def annotation_sample(store: ImageStore, dataset: DatasetSettings, count: int, seed: int) -> Figure:
    """Images of a split, drawn at random, with their true boxes.

    Args:
        store: The split.
        dataset: The section `dataset`: gives the names of the classes.
        count: How many images at most.
        seed: Seed of the draw.
    """
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(len(store), size=min(count, len(store)), replace=False))
    table = store.annotations.iloc[rows]
    records = [
        AnnotatedImage(
            file=str(file),
            image=image,
            box_layers={GROUND_TRUTH: (Box((xmin, ymin, xmax, ymax), class_id=int(label)),)},
        )
        for file, label, (xmin, ymin, xmax, ymax), image in zip(
            table["file"],
            table["label"],
            input_corners(table).tolist(),
            store.read(rows),
            strict=True,
        )
    ]
    meta = store.meta
    title = (
        f"{len(records)} of {len(store):,} images of the {meta.split} split (source: "
        f"{meta.source}), drawn at random, with their true boxes"
    )
    return contact_sheet(validate(records, dataset.class_names), dataset.class_names, title)
