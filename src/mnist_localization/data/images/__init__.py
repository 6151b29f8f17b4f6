"""Images: decoding, letterboxing, stores on disk, and `tf.data` pipelines."""

from mnist_localization.data.images.decode import (
    SUFFIXES,
    ImageHeader,
    decode_image,
    read_header,
    read_header_and_pixels,
    read_image,
)
from mnist_localization.data.images.letterbox import (
    compute_placements,
    crop_padding,
    fit_into_input,
    to_input_frame,
    to_original_frame,
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
    "compute_placements",
    "crop_padding",
    "decode_image",
    "decode_split",
    "fit_into_input",
    "read_header",
    "read_header_and_pixels",
    "read_image",
    "to_input_frame",
    "to_original_frame",
]
