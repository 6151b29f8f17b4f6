"""Matplotlib figures, saved atomically."""

from kedro_datasets.matplotlib import MatplotlibDataset

from mnist_localization.datasets.atomic import AtomicSave


class AtomicMatplotlibDataset(AtomicSave, MatplotlibDataset):  # type: ignore[misc]
    """`matplotlib.MatplotlibDataset`, saved atomically."""
