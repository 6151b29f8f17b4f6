"""Images: read one safely, keep a split of them in a store, stream them as `tf.data`."""

from mnist_localization.images.decode import read_image
from mnist_localization.images.store import ImageStore, SplitMeta, SplitPipeline, SplitRequest

__all__ = ["ImageStore", "SplitMeta", "SplitPipeline", "SplitRequest", "read_image"]
