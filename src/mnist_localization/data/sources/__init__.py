"""Sources of the dataset: upstream, a base URL, or made locally; each in a folder of its own."""

from mnist_localization.data.sources.fetching import fetch

__all__ = ["fetch"]
