"""The sections `annotate` and `split`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mnist_localization.config.base import PositiveFloat, PositiveInt, Settings, Share


class AnnotateSettings(Settings):
    """The section `annotate`.

    Attributes:
        on_bad_rows: `error` stops at bad rows, `drop` sets them aside and counts them.
        listed_bad_rows: How many bad rows an error message or the report lists at most.
    """

    on_bad_rows: Literal["error", "drop"]
    listed_bad_rows: PositiveInt


class ValidationSettings(Settings):
    """Where the validation images come from.

    Attributes:
        source: `train` holds a share of the training rows out; `test` validates on the test
            split, as the seed report did (then no figure on the test split is unbiased).
        share: Share of the training rows that is held out, stratified by label.
    """

    source: Literal["train", "test"]
    share: Share

    @model_validator(mode="after")
    def _share_fits_source(self) -> "ValidationSettings":
        if self.source == "train" and self.share == 0.0:
            raise ValueError("split.validation.share must be above 0 when the source is 'train'")
        return self


class SplitSettings(Settings):
    """The section `split`.

    Attributes:
        validation: Where the validation images come from.
        test_share: Share of the training rows that becomes the test split where the dataset has
            no test set, stratified by label.
        max_image_mb: Size of one decoded image, in MiB, above which it is refused unread.
        contact_sheet: Training images on the sheet that shows the dataset.
    """

    validation: ValidationSettings
    test_share: Share = 0.1
    max_image_mb: PositiveFloat
    contact_sheet: Annotated[int, Field(gt=0, le=120)]
