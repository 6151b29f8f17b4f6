"""Sources of a dataset: upstream, a base URL, a local folder, or local generation."""

from mnist_localization.data.sources.fetching import fetch

__all__ = ["fetch"]
