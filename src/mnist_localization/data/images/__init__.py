"""Images: read one safely, keep a split of them in a store, stream them as `tf.data`."""

from mnist_localization.data.images.decode import (
    SUFFIXES,
    ImageHeader,
    decode_image,
    examine_image,
    read_header,
    read_image,
)
from mnist_localization.data.images.letterbox import (
    into_input,
    into_original,
    letterboxed,
    placements,
    without_padding,
)
from mnist_localization.data.images.store import (
    DecodedSplit,
    ImageStore,
    SplitDataset,
    SplitMetadata,
    SplitSpec,
    decode_split,
)

__all__ = [
    "SUFFIXES",
    "DecodedSplit",
    "ImageHeader",
    "ImageStore",
    "SplitDataset",
    "SplitMetadata",
    "SplitSpec",
    "decode_image",
    "decode_split",
    "examine_image",
    "into_input",
    "into_original",
    "letterboxed",
    "placements",
    "read_header",
    "read_image",
    "without_padding",
]
