"""Groups of images, such as those of one camera or patient, that no two splits share."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.errors import AnnotationError

Labels = npt.NDArray[np.int64]
# Number of a group, its classes and their counts.
_Group = tuple[int, Labels, Labels]

# Value of `split.group_by` for the column `GROUP` of the annotation tables.
BY_COLUMN = "column"
GROUP = "group"
_LISTED = 5
# Passes over the groups at most; the first one gets close, the others improve it.
_PASSES = 5
_TOLERANCE = 1e-12


def group_names(annotations: pd.DataFrame, group_by: str) -> pd.Series:
    """Return the name of the group of each row.

    Args:
        annotations: Annotation table.
        group_by: `column` for the column `group`, or a regular expression on the file name; its
            first group, else the whole match, is the name.

    Raises:
        AnnotationError: A row has no group.
    """
    if group_by == BY_COLUMN:
        if GROUP not in annotations:
            raise AnnotationError(
                "split.group_by is 'column', but the annotations have no groups; name their "
                "column in dataset.annotations.csv.group, and run `kedro run "
                "--pipelines=annotate,split`"
            )
        names = annotations[GROUP].replace("", None)
    else:
        pattern = group_by if re.compile(group_by).groups else f"({group_by})"
        names = annotations["file"].str.extract(pattern, expand=True)[0]
    if names.isna().any():
        files = annotations.loc[names.isna(), "file"]
        raise AnnotationError(
            f"split.group_by gives no group for {len(files)} images, such as "
            f"{', '.join(files[:_LISTED])}; correct the pattern or the column"
        )
    return names.astype(str)


def check_groups(names: dict[str, pd.Series]) -> None:
    """Raise an error if two sets of images have a group in common."""
    sets = {name: set(groups) for name, groups in names.items()}
    first, *others = sets
    for other in others:
        if shared := sorted(sets[first] & sets[other]):
            raise AnnotationError(
                f"{len(shared)} groups of split.group_by are in the {first} and in the {other} "
                f"images, such as {', '.join(shared[:_LISTED])}; move them, or leave "
                "split.group_by empty"
            )


def hold_out_groups(
    labels: Labels, groups: npt.NDArray[np.int64], share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Choose whole groups with nearly the same share of each class.

    Groups are taken one after the other, large ones first. A group changes sides if that brings
    the shares of the classes closer to the wanted one, until no group does.

    Args:
        labels: Label of each row, `[n]`.
        groups: Number of the group of each row, from 0, `[n]`.
        share: Wanted share of the rows of each class, in (0, 1).
        seed: Seed of the order of groups of equal size.

    Returns:
        Which rows are chosen, `[n]`.

    Raises:
        AnnotationError: There is only one group.
    """
    totals = np.bincount(labels)
    weight = 1 / np.maximum(totals, 1) ** 2
    chosen = np.zeros(groups.max(initial=-1) + 1, dtype=bool)
    if len(chosen) < 2:
        raise AnnotationError(
            "split.group_by gives one group only, so none can be held out; correct the pattern"
        )
    excess = (-share * totals).astype(np.float64)
    _choose(list(_in_order(labels, groups, seed)), chosen, excess, weight)
    return chosen[groups]


def _choose(
    ordered: Sequence[_Group],
    chosen: npt.NDArray[np.bool_],
    excess: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
) -> None:
    """Choose groups, and add their counts to the excess over the target."""

    def change_of(group: int, classes: Labels, counts: Labels) -> float:
        moved = -counts if chosen[group] else counts
        return float(_change(excess[classes], moved, weight[classes]))

    for _ in range(_PASSES):
        has_moved = False
        for group, classes, counts in ordered:
            if change_of(group, classes, counts) < -_TOLERANCE:
                excess[classes] += -counts if chosen[group] else counts
                chosen[group] = not chosen[group]
                has_moved = True
        if not has_moved:
            break
    if chosen.all() or not chosen.any():
        # At least one group is on each side: the one that does least harm.
        least = min(ordered, key=lambda each: change_of(*each))[0]
        chosen[least] = not chosen[least]


def stratified_folds(
    labels: Labels, count: int, seed: int, groups: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.int64]:
    """Divide rows into folds of nearly the same size and shares of classes.

    Args:
        labels: Label of each row, `[n]`.
        count: Number of folds.
        seed: Seed of the draw.
        groups: Number of the group of each row, from 0; no group is in two folds.

    Returns:
        The fold of each row, from 0, `[n]`.

    Raises:
        AnnotationError: There are fewer rows or groups than folds.
    """
    if groups is None:
        order = np.random.default_rng(seed).permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        folds = np.empty(len(labels), np.int64)
        # Rows sorted by label are dealt out, so neither a class nor a fold is short by two rows.
        folds[order] = np.arange(len(labels)) % count
        size = len(labels)
    else:
        folds = _grouped_folds(labels, count, seed, groups)[groups]
        size = int(groups.max(initial=-1)) + 1
    if size < count:
        raise AnnotationError(
            f"{size} {'images' if groups is None else 'groups'} cannot be divided into {count} "
            "folds; correct split.fold"
        )
    return folds


def _grouped_folds(
    labels: Labels, count: int, seed: int, groups: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    totals = np.bincount(labels)
    target, weight = totals / count, 1 / np.maximum(totals, 1) ** 2
    found = np.zeros((count, len(totals)))
    sizes = np.zeros(count)
    folds = np.empty(groups.max(initial=-1) + 1, np.int64)
    for group, classes, counts in _in_order(labels, groups, seed):
        change = _change(found[:, classes] - target[classes], counts, weight[classes])
        # Among equally good folds the smallest one, so that none stays empty.
        fold = np.lexsort((sizes, np.round(change, 12)))[0]
        folds[group] = fold
        found[fold, classes] += counts
        sizes[fold] += counts.sum()
    return folds


def _change(
    excess: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return how the squared deviation from the target changes if counts are added."""
    change: npt.NDArray[np.float64] = (counts * (2 * excess + counts) * weight).sum(axis=-1)
    return change


def _in_order(labels: Labels, groups: npt.NDArray[np.int64], seed: int) -> Iterator[_Group]:
    """Yield each group with its classes and their counts, large groups first, ties at random."""
    classes = int(labels.max(initial=0)) + 1
    keys, counts = np.unique(groups * classes + labels, return_counts=True)
    starts = np.searchsorted(keys // classes, np.arange(groups.max(initial=-1) + 2))
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    for group in order[np.argsort(-sizes[order], kind="stable")].tolist():
        part = slice(starts[group], starts[group + 1])
        yield group, keys[part] % classes, counts[part]
