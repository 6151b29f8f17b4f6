"""`glimpse`: find the object coarsely, look again closely, let the pixels vote for the box."""

from collections.abc import Sequence
from typing import Annotated, Any

import keras
from pydantic import Field

from mnist_localization.config import Settings
from mnist_localization.models.architecture import ModelSpec, Network, architecture
from mnist_localization.models.architectures.glimpse.layers import (
    AttendedBox,
    AverageViews,
    CenterOfMass,
    DecodeBoxDeltas,
    EncodeBoxDeltas,
    ForegroundWeights,
    Glimpse,
    ProjectionProfiles,
    RandomShear,
    ShiftBox,
    SnapToStatistics,
)
from mnist_localization.models.layers import ClipAndSnapBox, FusedBatchNormalization, ImageInput

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
        glimpse_tilt: In training, a glimpse is turned and slanted at random before its features
            are taken: by up to this many samples across for each sample down, and down for each
            across.
        fine_filters: Filters of the convolutions of the second look, two or more; the first
            halves the size, which is halved again after it and after the last.
        label_units: Units of the hidden layer before the label's softmax.
        bbox_units: Units of the hidden layer before what the box is made from.
        dropout: Share of the features dropped before each dense layer of the label.
        view_shift: The saved model averages its label over the window and four that are moved
            to its corners, by this share of the coarse box each way; 0 looks at one window.
        size_tolerance: Relative difference up to which a guessed size gives way to the one
            that most training boxes have, if there is one.
        center_tolerance: Distance, over the box's size, up to which a guessed center gives way
            to the center of mass, if that tells the center of the training boxes.
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
    glimpse_tilt: Annotated[float, Field(ge=0.0, lt=0.5)]
    fine_filters: Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
    label_units: PositiveInt
    bbox_units: PositiveInt
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    view_shift: Annotated[float, Field(ge=0.0, lt=0.5)]
    size_tolerance: Annotated[float, Field(ge=0.0, lt=0.5)]
    center_tolerance: Annotated[float, Field(ge=0.0, lt=0.5)]
    coarse_loss_weight: Annotated[float, Field(gt=0.0)]
    guess_loss_weight: Annotated[float, Field(gt=0.0)]
    snap: bool


@architecture("glimpse", GlimpseSettings)
def build_glimpse(settings: GlimpseSettings, spec: ModelSpec) -> Network:
    """Two looks at the image, and two regularities where the training boxes have them.

    The first look, on a grid of patches, gives a coarse box: every cell proposes one, and the
    cells are averaged by attention. The second sees the window round it, resampled to a fixed
    size: its features give the label, and correct the box. The saved model looks at the label
    through a few windows more, beside the first, and averages.

    Features lose fractions of a pixel. So a size that most training boxes share is taken where
    the corrected box comes near it; and where the center of mass tells the center of the
    training boxes, the window's pixels vote for the center, each by its brightness above the
    background at the window's edge.
    """
    images = keras.Input(spec.shape, name="image")
    pixels = ImageInput(scale=1 / 255, provenance=spec.provenance.to_json(), name="input")(images)
    coarse = _first_look(pixels, settings, spec)
    see = Glimpse(
        size=settings.glimpse_size,
        margin=settings.glimpse_margin,
        jitter=settings.glimpse_jitter,
        dtype="float32",
        name="glimpse",
    )
    glimpse, window = see([pixels, coarse])
    features = _Chain(_fine_layers(settings))
    classify = _Chain(_label_layers(settings, spec))
    fine = features(RandomShear(settings.glimpse_tilt, dtype="float32", name="tilt")(glimpse))
    label = classify(fine)
    guess, bbox = _bbox_head(glimpse, fine, coarse, window, settings, spec)
    grid = (spec.height, spec.width) if settings.snap and spec.whole_pixel_boxes else None
    snapped = ClipAndSnapBox(grid=grid, dtype="float32", name="bbox")(bbox)
    averaged = label
    if settings.view_shift:
        views = _views(see, pixels, coarse, settings.view_shift)
        averaged = AverageViews(dtype="float32", name="label_mean")(
            [label, classify(features(views))]
        )
    return Network(
        trainable=keras.Model(
            images,
            {"label": label, "bbox": bbox, "bbox_coarse": coarse, "bbox_guess": guess},
            name="glimpse_training",
        ),
        localizer=keras.Model(images, {"label": averaged, "bbox": snapped}, name="glimpse"),
        auxiliary_boxes={
            "bbox_coarse": settings.coarse_loss_weight,
            "bbox_guess": settings.guess_loss_weight,
        },
    )


class _Chain:
    """Layers one after the other, which share their weights wherever they are called."""

    def __init__(self, layers: Sequence[keras.layers.Layer]) -> None:
        self._layers = layers

    def __call__(self, x: Any) -> Any:
        for layer in self._layers:
            x = layer(x)
        return x


def _first_look(pixels: Any, settings: GlimpseSettings, spec: ModelSpec) -> Any:
    """Coarse corners, relative, `[batch, 4]`."""
    filters = settings.coarse_filters
    # On so fine a grid, normalization would take longer than the convolution.
    stem = keras.layers.Conv2D(
        settings.stem_filters,
        settings.stride,
        strides=settings.stride,
        padding="same",
        activation="relu",
        name="stem",
    )
    x = stem(pixels)
    x = _Chain(_convolution(filters, "coarse_1", strides=2))(x)
    near = _Chain(_convolution(filters, "coarse_2"))(x)
    # One more lets a cell see an object from its border to its center.
    far = _Chain(_convolution(filters, "coarse_3"))(near)
    x = keras.layers.Add(name="coarse_features")([near, far])
    proposals = keras.layers.Conv2D(5, 1, name="coarse_proposals")(x)
    return AttendedBox(dtype="float32", name="bbox_coarse")(proposals)


def _views(see: Glimpse, pixels: Any, coarse: Any, shift: float) -> Any:
    """Glimpses through four moved windows, `[4 * batch, size, size, channels]`."""
    moves = [(x, y) for y in (-shift, shift) for x in (-shift, shift)]
    views = []
    for number, move in enumerate(moves, start=1):
        moved = ShiftBox(move, dtype="float32", name=f"view_{number}")(coarse)
        views.append(see([pixels, moved])[0])
    return keras.layers.Concatenate(axis=0, name="views")(views)


def _fine_layers(settings: GlimpseSettings) -> list[keras.layers.Layer]:
    """Features of a glimpse at an eighth of its resolution, flat."""
    first, *others = settings.fine_filters
    layers = [
        keras.layers.Conv2D(first, 5, strides=2, padding="same", activation="relu", name="fine_1"),
        keras.layers.MaxPooling2D(2, name="fine_pool"),
    ]
    for number, filters in enumerate(others, start=2):
        layers += _convolution(filters, f"fine_{number}")
    return [
        *layers,
        keras.layers.MaxPooling2D(2, padding="same", name="fine_pool_2"),
        keras.layers.Flatten(name="fine_features"),
    ]


def _label_layers(settings: GlimpseSettings, spec: ModelSpec) -> list[keras.layers.Layer]:
    return [
        keras.layers.Dropout(settings.dropout, name="label_dropout_1"),
        keras.layers.Dense(settings.label_units, activation="relu", name="label_hidden"),
        keras.layers.Dropout(settings.dropout, name="label_dropout_2"),
        keras.layers.Dense(spec.classes, activation="softmax", dtype="float32", name="label"),
    ]


def _bbox_head(
    glimpse: Any,
    features: Any,
    coarse: Any,
    window: Any,
    settings: GlimpseSettings,
    spec: ModelSpec,
) -> tuple[Any, Any]:
    """Guessed and final relative corners, `[batch, 4]` each."""
    first = EncodeBoxDeltas(dtype="float32", name="coarse_in_window")([coarse, window])
    # The features are those of a tilted glimpse, in training, and too coarse for a size.
    profiles = ProjectionProfiles(dtype="float32", name="profiles")(glimpse)
    x = keras.layers.Concatenate(name="bbox_features")([features, profiles, first])
    x = keras.layers.Dense(settings.bbox_units, activation="relu", name="bbox_hidden")(x)
    move = keras.layers.Dense(2, kernel_initializer="zeros", name="move")(x)
    factor = keras.layers.Dense(2, kernel_initializer="zeros", name="log_factor")(x)
    guess = DecodeBoxDeltas(dtype="float32", name="bbox_guess")([coarse, move, factor])
    exact = SnapToStatistics(
        typical_size=spec.box_statistics.typical_size,
        size_tolerance=settings.size_tolerance,
        center_tolerance=settings.center_tolerance,
        dtype="float32",
        name="bbox_raw",
    )
    if spec.box_statistics.mass_offset is None:
        return guess, exact([guess])
    votes = ForegroundWeights(dtype="float32", name="votes")(glimpse)
    voted = CenterOfMass(spec.box_statistics.mass_offset, dtype="float32", name="voted_center")(
        [votes, window]
    )
    return guess, exact([guess, voted])


def _convolution(filters: int, name: str, strides: int = 1) -> list[keras.layers.Layer]:
    return [
        keras.layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=name),
        FusedBatchNormalization(momentum=0.95, name=f"{name}_norm"),
        keras.layers.ReLU(name=f"{name}_relu"),
    ]
