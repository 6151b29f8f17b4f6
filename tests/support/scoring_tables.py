"""Annotations made up for the tests of scoring."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mnist_localization.data.images import ImageStore

StoreMaker = Callable[..., ImageStore]


def annotations(labels: np.ndarray, boxes: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(boxes, columns=["xmin", "ymin", "xmax", "ymax"])
    table.insert(0, "label", labels)
    table.insert(0, "file", [f"{row}.png" for row in range(len(labels))])
    return table
