"""Weights of the classes in the loss of the label."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mnist_localization.errors import ModelError

Weights = npt.NDArray[np.float32]


def label_weights(
    setting: str | Mapping[str, float], labels: npt.NDArray[np.int64], class_names: Sequence[str]
) -> Weights | None:
    """Return the weight of each class.

    Args:
        setting: `train.class_weights`: `none`; `balanced` for weights that are inverse to the
            number of training images, with a mean of 1 over the images; or weights by class name,
            1 for classes that are not named.
        labels: Labels of the training images, `[n]`.
        class_names: Name of each class, in the order of the labels.

    Returns:
        Weights `[classes]`, or `None` if all classes have the same weight.

    Raises:
        ModelError: A name is not that of a class.
    """
    if setting == "none":
        return None
    if isinstance(setting, str):
        counts = np.bincount(labels, minlength=len(class_names))
        present = max(1, np.count_nonzero(counts))
        weights: Weights = (len(labels) / (present * np.maximum(counts, 1))).astype(np.float32)
        return weights
    if unknown := sorted(setting.keys() - set(class_names)):
        raise ModelError(
            f"train.class_weights names {', '.join(unknown)}, but the classes are "
            f"{', '.join(class_names)}; correct the names"
        )
    return np.array([setting.get(name, 1.0) for name in class_names], np.float32)
