"""Parquet tables, saved atomically."""

from kedro_datasets.pandas import ParquetDataset

from mnist_localization.datasets.atomic import AtomicSave


class AtomicParquetDataset(AtomicSave, ParquetDataset):  # type: ignore[misc]
    """`pandas.ParquetDataset`, saved atomically."""
