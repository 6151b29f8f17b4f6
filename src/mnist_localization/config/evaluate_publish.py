"""The sections `evaluate`, `compare` and `publish`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from mnist_localization.config.base import PositiveInt, Settings


def _words(value: object) -> object:
    """The words of a text: a list cannot be typed after `--params`, which splits at commas."""
    return tuple(str(value).split()) if isinstance(value, str | int) else value


class EvaluateSettings(Settings):
    """The section `evaluate`.

    Attributes:
        batch_size: Images predicted at once.
        on_stale: What to do when model, splits and predictions do not belong together.
        bootstrap_resamples: Resamples behind the interval of a mean.
        calibration_bins: Bins of confidence, of equal width.
        position_grid: Regions of the image along each side, by the center of the true box.
        contact_sheet: Images on the sheet of the worst, and on that of a random sample.
        robustness: Whether the perturbed test split is scored too.
    """

    batch_size: PositiveInt
    on_stale: Literal["warn", "error"]
    bootstrap_resamples: PositiveInt
    calibration_bins: PositiveInt
    position_grid: PositiveInt
    contact_sheet: Annotated[int, Field(gt=0, le=120)]
    robustness: bool


class CompareSettings(Settings):
    """The section `compare`.

    Attributes:
        runs: Names of evaluated runs, or how they begin or end, as a list or as words of a
            text; empty takes the latest ones.
        latest: How many of the latest runs are compare_outputs when none is named.
    """

    runs: Annotated[tuple[str, ...], BeforeValidator(_words)]
    latest: Annotated[int, Field(ge=2)]


class GallerySettings(Settings):
    """Which test images the report shows.

    Attributes:
        worst: Images with the lowest IoU.
        mistakes: Wrongly labeled images with the highest confidence.
        random: Images drawn at random.
    """

    worst: Annotated[int, Field(ge=0)]
    mistakes: Annotated[int, Field(ge=0)]
    random: Annotated[int, Field(ge=0)]


# W&B cuts a list of images at this length: the page would show more than W&B.
MOST_OF_A_KIND = 108


class PublishSettings(Settings):
    """The section `publish`."""

    gallery: GallerySettings

    @field_validator("gallery")
    @classmethod
    def _check_gallery(cls, gallery: GallerySettings) -> GallerySettings:
        for name, images in gallery:
            if images > MOST_OF_A_KIND:
                raise ValueError(
                    f"{name} is {images}, but W&B shows at most {MOST_OF_A_KIND} images of a "
                    f"kind; ask for at most {MOST_OF_A_KIND}, so that the page shows the same"
                )
        return gallery
