"""A dataset looked at before any training: what is in it, and what is wrong with it."""

from mnist_localization.data.checks.dataset import check_dataset
from mnist_localization.data.checks.findings import CHECK_COLUMNS

__all__ = ["CHECK_COLUMNS", "check_dataset"]
