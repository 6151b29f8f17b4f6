"""Nodes of the stage `split`."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_localization.config import DatasetSettings, SplitSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images import DecodedSplit, SplitDataset, SplitSpec, decode_split
from mnist_localization.data.splitting import stratified_holdout

logger = logging.getLogger(__name__)

# Classes that a warning names at most.
_LISTED = 10


def split_images(
    settings: SplitSettings,
    dataset: DatasetSettings,
    seed: int,
    dataset_card: DatasetCard,
    raw_folder: Path,
    split_stores: Path,
    train_annotations: pd.DataFrame,
    test_annotations: pd.DataFrame,
) -> tuple[DecodedSplit, DecodedSplit, DecodedSplit]:
    """Divide the rows among the splits and decode their images.

    Returns:
        Training, validation and test split.
    """
    folder = raw_folder / dataset_card.folder
    if "test" not in dataset_card.splits:
        train_annotations, test_annotations = stratified_holdout(
            train_annotations, settings.test_share, seed, "split.test_share"
        )
        _warn_of_lacking_classes("test", test_annotations, dataset)

    def request(split: str, drawn_from: str, annotations: pd.DataFrame) -> SplitSpec:
        split_files = drawn_from if drawn_from in dataset_card.splits else "train"
        return SplitSpec(
            split=split,
            source=dataset_card.source,
            drawn_from=drawn_from,
            annotations=annotations,
            images=folder / dataset_card.splits[split_files].images,
            images_key=dataset_card.images_sha256(split_files),
            image=dataset.image,
            max_image_mb=settings.max_image_mb,
        )

    if settings.validation.source == "test":
        training = train_annotations
        validation = request("validation", "test", test_annotations)
        logger.warning("The validation split IS the test split: no figure on it is unbiased.")
    else:
        training, held_out = stratified_holdout(
            train_annotations, settings.validation.share, seed, "split.validation.share"
        )
        _warn_of_lacking_classes("validation", held_out, dataset)
        validation = request("validation", "train", held_out)
    splits = (
        request("train", "train", training),
        validation,
        request("test", "test", test_annotations),
    )
    counts = [len(split.annotations) for split in splits]
    logger.info("Split: %d training, %d validation, %d test images.", *counts)
    train, validation_split, test = (decode_split(split, split_stores) for split in splits)
    return train, validation_split, test


def _warn_of_lacking_classes(split: str, held_out: pd.DataFrame, dataset: DatasetSettings) -> None:
    present = set(held_out["label"])
    lacking = [name for label, name in enumerate(dataset.class_names) if label not in present]
    if lacking:
        more = f" and {len(lacking) - _LISTED} more" if len(lacking) > _LISTED else ""
        logger.warning(
            "The %s split holds no image of %d classes, and its figures say nothing of them: "
            "%s%s. More images of them or a larger share would change that.",
            split,
            len(lacking),
            ", ".join(lacking[:_LISTED]),
            more,
        )


def draw_dataset_sample(
    settings: SplitSettings, dataset: DatasetSettings, seed: int, train_split: SplitDataset
) -> Any:
    """A look at the dataset before any training: images with their true boxes.

    Returns:
        A random sample of the training split, as a Matplotlib figure.
    """
    from mnist_localization.reporting.contact_sheet import annotation_sample

    return annotation_sample(settings, dataset, seed, train_split)
