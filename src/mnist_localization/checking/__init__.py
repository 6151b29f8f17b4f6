"""A dataset looked at before any training: what is in it, and what is wrong with it."""

from mnist_localization.checking.dataset import check_dataset
from mnist_localization.checking.findings import CHECK_COLUMNS

__all__ = ["CHECK_COLUMNS", "check_dataset"]
