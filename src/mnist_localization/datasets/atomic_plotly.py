"""Plotly figures, saved atomically."""

from kedro_datasets.plotly import JSONDataset

from mnist_localization.datasets.atomic import AtomicSave


class AtomicPlotlyDataset(AtomicSave, JSONDataset):  # type: ignore[misc]
    """`plotly.JSONDataset`, saved atomically."""
