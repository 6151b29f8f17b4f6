"""`glimpse`: find the object coarsely, look again closely, let the pixels vote for the box."""

from typing import Annotated, Any

import keras
from pydantic import Field

from mnist_localization.config import Settings
from mnist_localization.models.glimpse_layers import (
    AttendedBox,
    BoxInWindow,
    ExactCorners,
    Glimpse,
    MeanOfVotes,
    RefinedCorners,
    Votes,
)
from mnist_localization.models.layers import ImageInput, OrderedBox
from mnist_localization.models.registry import ModelSpec, Network, architecture

PositiveInt = Annotated[int, Field(gt=0)]


class GlimpseSettings(Settings):
    """Settings of `glimpse`.

    Attributes:
        stem_filters: Filters of the first convolution, which sees patches of `stride` pixels.
        stride: Side of those patches, in pixels.
        coarse_filters: Filters of each convolution of the first look.
        glimpse_size: Side of the glimpse, in samples.
        glimpse_margin: Side of the window that a glimpse shows, over that of the coarse box.
        glimpse_jitter: In training, the window is moved and scaled at random by up to this
            share of the coarse box.
        fine_filters: Filters of the convolutions of the second look; the size is halved
            after the second and after the last.
        label_units: Units of the hidden layer before the label's softmax.
        bbox_units: Units of the hidden layer before what the box is made from.
        dropout: Share of the features dropped before each dense layer of the label.
        size_tolerance: Relative difference up to which a guessed size gives way to the one
            that most training boxes have, if there is one.
        centre_tolerance: Distance, over the box's size, up to which a guessed centre gives way
            to the centre of mass, if that tells the centre of the training boxes.
        coarse_loss_weight: Weight of the coarse box in the loss.
        guess_loss_weight: Weight of the guessed box in the loss.
        snap: Whether `bbox` is snapped to whole pixels where the annotations are.
    """

    stem_filters: PositiveInt
    stride: PositiveInt
    coarse_filters: PositiveInt
    glimpse_size: Annotated[int, Field(ge=16, multiple_of=4)]
    glimpse_margin: Annotated[float, Field(ge=1.0)]
    glimpse_jitter: Annotated[float, Field(ge=0.0, lt=0.5)]
    fine_filters: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
    label_units: PositiveInt
    bbox_units: PositiveInt
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    size_tolerance: Annotated[float, Field(ge=0.0, lt=0.5)]
    centre_tolerance: Annotated[float, Field(ge=0.0, lt=0.5)]
    coarse_loss_weight: Annotated[float, Field(gt=0.0)]
    guess_loss_weight: Annotated[float, Field(gt=0.0)]
    snap: bool


@architecture("glimpse", GlimpseSettings)
def build_glimpse(settings: GlimpseSettings, spec: ModelSpec) -> Network:
    """Two looks at the image, and two regularities where the training boxes have them.

    The first look, on a grid of patches, gives a coarse box: every cell proposes one, and the
    cells are averaged by attention. The second sees the window round it, resampled to a fixed
    size: its features give the label, and correct the box.

    Features lose fractions of a pixel. So a size that most training boxes share is taken where
    the corrected box comes near it; and where the centre of mass tells the centre of the
    training boxes, the window's pixels vote for the centre, each by its brightness above the
    background at the window's edge.
    """
    images = keras.Input(spec.shape, name="image")
    pixels = ImageInput(scale=1 / 255, provenance=dict(spec.provenance), name="input")(images)
    coarse = _first_look(pixels, settings, spec)
    glimpse, window = Glimpse(
        size=settings.glimpse_size,
        margin=settings.glimpse_margin,
        jitter=settings.glimpse_jitter,
        dtype="float32",
        name="glimpse",
    )([pixels, coarse])
    features = _fine_features(glimpse, settings)
    label = _label_head(features, settings, spec)
    guess, bbox = _bbox_head(glimpse, features, coarse, window, settings, spec)
    grid = (spec.height, spec.width) if settings.snap and spec.whole_pixel_boxes else None
    snapped = OrderedBox(grid=grid, dtype="float32", name="bbox")(bbox)
    return Network(
        trainable=keras.Model(
            images,
            {"label": label, "bbox": bbox, "bbox_coarse": coarse, "bbox_guess": guess},
            name="glimpse_training",
        ),
        localizer=keras.Model(images, {"label": label, "bbox": snapped}, name="glimpse"),
        auxiliary_boxes={
            "bbox_coarse": settings.coarse_loss_weight,
            "bbox_guess": settings.guess_loss_weight,
        },
    )


def _first_look(pixels: Any, settings: GlimpseSettings, spec: ModelSpec) -> Any:
    """Coarse corners, relative, `[batch, 4]`."""
    x = _convolution(pixels, settings.stem_filters, settings.stride, "stem", settings.stride)
    x = _convolution(x, settings.coarse_filters, 3, "coarse_1", strides=2)
    near = _convolution(x, settings.coarse_filters, 3, "coarse_2")
    # One more lets a cell see an object from its border to its centre.
    far = _convolution(near, settings.coarse_filters, 3, "coarse_3")
    x = keras.layers.Add(name="coarse_features")([near, far])
    proposals = keras.layers.Conv2D(5, 1, name="coarse_proposals")(x)
    return AttendedBox(dtype="float32", name="bbox_coarse")(proposals)


def _fine_features(glimpse: Any, settings: GlimpseSettings) -> Any:
    """Features of the glimpse at an eighth of its resolution."""
    first, second, third, fourth = settings.fine_filters
    x = _convolution(glimpse, first, 5, "fine_1", strides=2)
    x = _convolution(x, second, 3, "fine_2")
    x = keras.layers.MaxPooling2D(2, name="fine_pool")(x)
    x = _convolution(x, third, 3, "fine_3")
    x = _convolution(x, fourth, 3, "fine_4")
    return keras.layers.MaxPooling2D(2, padding="same", name="fine_features")(x)


def _label_head(features: Any, settings: GlimpseSettings, spec: ModelSpec) -> Any:
    x = keras.layers.Flatten(name="label_features")(features)
    x = keras.layers.Dropout(settings.dropout, name="label_dropout_1")(x)
    x = keras.layers.Dense(settings.label_units, activation="relu", name="label_hidden")(x)
    x = keras.layers.Dropout(settings.dropout, name="label_dropout_2")(x)
    return keras.layers.Dense(spec.classes, activation="softmax", dtype="float32", name="label")(x)


def _bbox_head(
    glimpse: Any,
    features: Any,
    coarse: Any,
    window: Any,
    settings: GlimpseSettings,
    spec: ModelSpec,
) -> tuple[Any, Any]:
    """Guessed and final relative corners, `[batch, 4]` each."""
    x = keras.layers.Flatten(name="bbox_features")(features)
    first = BoxInWindow(dtype="float32", name="coarse_in_window")([coarse, window])
    x = keras.layers.Concatenate(name="bbox_features_and_window")([x, first])
    x = keras.layers.Dense(settings.bbox_units, activation="relu", name="bbox_hidden")(x)
    move = keras.layers.Dense(2, kernel_initializer="zeros", name="move")(x)
    factor = keras.layers.Dense(2, kernel_initializer="zeros", name="log_factor")(x)
    guess = RefinedCorners(dtype="float32", name="bbox_guess")([coarse, move, factor])
    exact = ExactCorners(
        typical_size=spec.priors.typical_size,
        size_tolerance=settings.size_tolerance,
        centre_tolerance=settings.centre_tolerance,
        dtype="float32",
        name="bbox_raw",
    )
    if spec.priors.mass_offset is None:
        return guess, exact([guess])
    votes = Votes(dtype="float32", name="votes")(glimpse)
    voted = MeanOfVotes(spec.priors.mass_offset, dtype="float32", name="voted_centre")(
        [votes, window]
    )
    return guess, exact([guess, voted])


def _convolution(x: Any, filters: int, kernel: int, name: str, strides: int = 1) -> Any:
    x = keras.layers.Conv2D(
        filters, kernel, strides=strides, padding="same", use_bias=False, name=name
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
