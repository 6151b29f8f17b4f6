"""Text files, saved atomically."""

from kedro_datasets.text import TextDataset

from mnist_localization.datasets.atomic import AtomicSave


class AtomicTextDataset(AtomicSave, TextDataset):  # type: ignore[misc]
    """`text.TextDataset`, saved atomically."""
