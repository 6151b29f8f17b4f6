"""Division of the annotated images into training, validation and test split."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config.data import DatasetSettings, SplitSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.grouping import (
    check_groups,
    group_names,
    hold_out_groups,
    stratified_folds,
)
from mnist_localization.data.images.store_writer import DecodedSplit, SplitSpec, decode_split
from mnist_localization.errors import AnnotationError

logger = logging.getLogger(__name__)

# Classes that a warning names at most.
_LISTED = 10


def split_dataset(
    settings: SplitSettings,
    dataset: DatasetSettings,
    seed: int,
    dataset_card: DatasetCard,
    raw_folder: Path,
    split_stores: Path,
    train_annotations: pd.DataFrame,
    validation_annotations: pd.DataFrame,
    test_annotations: pd.DataFrame,
    class_names: ClassNames,
) -> tuple[DecodedSplit, DecodedSplit, DecodedSplit]:
    """Divide the annotated images among the splits and decode them.

    Args:
        settings: The section `split`.
        dataset: The section `dataset`.
        seed: Seed of the draws.
        dataset_card: Description of the fetched dataset.
        raw_folder: Parent of the folders of all sources.
        split_stores: Folder of the stores of all splits.
        train_annotations: Training table.
        validation_annotations: Validation table, empty if the dataset has no validation set.
        test_annotations: Test table, empty if the dataset has no test set.
        class_names: Name of each class.

    Returns:
        Training, validation and test split.

    Raises:
        AnnotationError: There are too few rows to hold some out.
        ImageError: An image is missing, unreadable or has another shape.
    """
    given = {"validation": validation_annotations, "test": test_annotations}
    tables = {"train": train_annotations} | {
        name: table for name, table in given.items() if name in dataset_card.splits
    }
    dataset = dataset.with_class_names(class_names.root)
    rows = divide_rows(settings, dataset, seed, tables)

    def decode(split: str, drawn_from: str) -> DecodedSplit:
        files = drawn_from if drawn_from in dataset_card.splits else "train"
        spec = SplitSpec(
            split=split,
            source=dataset_card.source,
            drawn_from=drawn_from,
            annotations=rows[split],
            images=raw_folder / dataset_card.folder / dataset_card.splits[files].images,
            images_key=dataset_card.images_sha256(files),
            image=dataset.image,
            max_image_mb=settings.max_image_mb,
            drops_bad_images=settings.on_bad_images == "drop",
            shard_mb=settings.shard_mb,
            class_names=dataset.class_names,
        )
        return decode_split(spec, split_stores)

    # A fold is of the training images.
    held_out = "train" if settings.fold else "test"
    origins = {"train": "train", "given": "validation", "test": held_out}
    validation = decode("validation", origins[settings.validation.source])
    return decode("train", "train"), validation, decode("test", held_out)


def divide_rows(
    settings: SplitSettings,
    dataset: DatasetSettings,
    seed: int,
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    """Return the rows of the splits `train`, `validation` and `test`.

    Args:
        settings: The section `split`.
        dataset: Gives the names of the classes.
        seed: Seed of the draws.
        tables: Annotations of the sets of the dataset: `train` and, if it has them, `validation`
            and `test`. Without a test set, training rows are held out for the test.

    Raises:
        AnnotationError: There are too few rows to hold some out, or there is no validation set
            although the settings ask for it.
    """
    train = _with_objects(tables["train"])
    if settings.fold:
        train, test = _fold(train, settings)
        _warn_of_missing_classes("test", test, dataset)
    elif "test" not in tables:
        train, test = _hold_out(train, settings.test_share, settings, seed, "split.test_share")
        _warn_of_missing_classes("test", test, dataset)
    else:
        test = _given(tables, "test")
    if settings.validation.source == "test":
        validation = test
        logger.warning("The validation split is the test split, so metrics on both are optimistic.")
    elif settings.validation.source == "given":
        validation = _given_validation(tables)
    else:
        if "validation" in tables:
            logger.warning(
                "The validation images of the dataset are not used; set split.validation.source to "
                "'given' to use them."
            )
        train, validation = _hold_out(
            train, settings.validation.share, settings, seed, "split.validation.share"
        )
        _warn_of_missing_classes("validation", validation, dataset)
    if settings.group_by:
        _check_groups(settings, {"train": train, "validation": validation, "test": test})
    logger.info(
        "Split: %d training, %d validation, %d test images.",
        *(len(train), len(validation), len(test)),
    )
    return {"train": train, "validation": validation, "test": test}


def _fold(train: pd.DataFrame, settings: SplitSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the other folds, and the fold that is the test split."""
    fold, count = map(int, settings.fold.split("/"))
    groups = _group_numbers(train, settings.group_by) if settings.group_by else None
    folds = stratified_folds(train["label"].to_numpy(), count, settings.fold_seed, groups)
    logger.info("The test split is fold %d of %d of the training images.", fold, count)
    return train[folds != fold - 1], train[folds == fold - 1]


def _hold_out(
    rows: pd.DataFrame, share: float, settings: SplitSettings, seed: int, setting: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold out a share of the rows, in whole groups if groups are configured."""
    if not settings.group_by:
        return stratified_holdout(rows, share, seed, setting)
    groups = _group_numbers(rows, settings.group_by)
    held_out = hold_out_groups(rows["label"].to_numpy(), groups, share, seed)
    found = held_out.mean()
    logger.info(
        "%s: held out %d of %d groups, %.1f %% of the images.",
        setting,
        len(np.unique(groups[held_out])),
        groups.max() + 1,
        100 * found,
    )
    if not 0.5 * share <= found <= 1.5 * share:
        logger.warning(
            "%s is %g, but %.3f of the images are held out, because groups are not divided.",
            setting,
            share,
            found,
        )
    return rows[~held_out], rows[held_out]


def _group_numbers(rows: pd.DataFrame, group_by: str) -> npt.NDArray[np.int64]:
    numbers, _ = pd.factorize(group_names(rows, group_by), sort=True)
    return numbers.astype(np.int64)


def _check_groups(settings: SplitSettings, splits: Mapping[str, pd.DataFrame]) -> None:
    """Raise an error if a group is in two splits, as in sets that the dataset gives."""
    names = {name: group_names(rows, settings.group_by) for name, rows in splits.items()}
    check_groups({name: names[name] for name in ("train", "validation", "test")})
    if settings.validation.source != "test":
        check_groups({name: names[name] for name in ("validation", "test")})


def _given_validation(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    if "validation" not in tables:
        raise AnnotationError(
            "split.validation.source is 'given', but the dataset has no validation set; set "
            "fetch.folder.validation_images and validation_annotations and run "
            "`kedro run --pipelines=fetch,annotate,split`, or set the source to 'train'"
        )
    return _given(tables, "validation")


def _given(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    rows = _with_objects(tables[name])
    if rows.empty:
        raise AnnotationError(
            f"the {name} set has no annotated object; run `kedro run --pipelines=annotate,split`"
        )
    return rows


def _with_objects(annotations: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with an object, because the model cannot learn that there is none."""
    has_object = annotations["label"].notna()
    if not has_object.all():
        logger.info("%d images without an object are not used.", (~has_object).sum())
        annotations = annotations[has_object]
    return annotations.reset_index(drop=True).astype({"label": np.int64})


def stratified_holdout(
    annotations: pd.DataFrame, share: float, seed: int, setting: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold out a share of the rows, of each label as nearly the same share as possible.

    The last row of a label is never held out.

    Args:
        annotations: Rows with a column `label`.
        share: Share held out, in (0, 1).
        seed: Seed of the draw.
        setting: Name of the parameter that gives the share, for the error.

    Returns:
        The kept rows and the held-out rows, both in their original order.

    Raises:
        AnnotationError: There are too few rows to keep and hold out at least one.
    """
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(annotations), dtype=bool)
    labels = annotations["label"].to_numpy()
    drawn = [generator.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    counts = _allocate(np.array([len(rows) for rows in drawn], dtype=np.int64), share, generator)
    for rows, count in zip(drawn, counts.tolist(), strict=True):
        held_out[rows[:count]] = True
    if held_out.all() or not held_out.any():
        raise AnnotationError(
            f"{len(annotations)} training rows are too few to hold out a share of {share:g} of "
            f"each label; change {setting}, or provide more images"
        )
    return annotations[~held_out], annotations[held_out]


def _allocate(
    counts: npt.NDArray[np.int64], share: float, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return how many rows of each label are held out.

    Each quota is rounded separately, so that labels of equal size give equal numbers. If the sum
    then misses the total by more than one row, as with many small labels, rows are allocated by
    the largest remainder (https://en.wikipedia.org/wiki/Quota_method); ties are drawn.

    Args:
        counts: Rows of each label, `[n]`.
        share: Share held out.
        generator: Draws among equal remainders.
    """
    quotas, total = counts * share, round(counts.sum() * share)
    rounded: npt.NDArray[np.int64] = np.minimum(np.rint(quotas).astype(np.int64), counts - 1)
    if rounded.any() and abs(int(rounded.sum()) - total) <= 1:
        return rounded
    # Rounded, because 0.29 * 100 is less than 29 and 0.1 * 3 is more than 0.3.
    quotas = np.round(quotas, 9)
    allocated: npt.NDArray[np.int64] = np.floor(quotas).astype(np.int64)
    remainders = np.round(quotas - allocated, 9)
    order = generator.permutation(np.flatnonzero((remainders > 0) & (allocated < counts - 1)))
    order = order[np.argsort(-remainders[order], kind="stable")]
    allocated[order[: total - int(allocated.sum())]] += 1
    return allocated


def _warn_of_missing_classes(split: str, rows: pd.DataFrame, dataset: DatasetSettings) -> None:
    present = set(rows["label"])
    missing = [name for label, name in enumerate(dataset.class_names) if label not in present]
    if missing:
        names = ", ".join(missing[:_LISTED])
        if len(missing) > _LISTED:
            names += f" and {len(missing) - _LISTED} more"
        logger.warning(
            "The %s split has no image of %d classes, so its metrics do not cover them: %s. "
            "Add images of them or increase the share.",
            split,
            len(missing),
            names,
        )
