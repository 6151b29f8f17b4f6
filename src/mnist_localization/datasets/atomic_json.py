"""JSON files, saved atomically."""

from kedro_datasets.json import JSONDataset

from mnist_localization.datasets.atomic import AtomicSave


class AtomicJSONDataset(AtomicSave, JSONDataset):  # type: ignore[misc]
    """`json.JSONDataset`, saved atomically."""
