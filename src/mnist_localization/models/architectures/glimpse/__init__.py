"""Locate an object coarsely, then classify and localize it in a glimpse of that region.

The name is that of Mnih et al., "Recurrent Models of Visual Attention" (2014), whose model attends
to a sequence of small image regions. This architecture takes a single glimpse.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from pydantic import Field

from mnist_localization.config import PositiveFloat, PositiveInt, Settings, Share
from mnist_localization.config.train import (
    PRESETS,
    EarlyStoppingSettings,
    LossWeights,
    TrainingDefaults,
)
from mnist_localization.models.architecture import (
    BBOX,
    LABEL,
    RANDOM_KEY,
    RAW_BOX,
    UNDECAYED,
    Architecture,
    ModelSpec,
    Network,
    image_input,
    random_key_input,
)
from mnist_localization.models.architectures.glimpse.layers import (
    AttendedBox,
    AverageViews,
    CenterOfMass,
    DecodeBoxDeltas,
    EncodeBoxDeltas,
    ForegroundWeights,
    Glimpse,
    JitterBox,
    ProjectionProfiles,
    RandomShear,
    ShiftBox,
)
from mnist_localization.models.layers import (
    ClipAndSnapBox,
    FusedBatchNormalization,
    SnapToStatistics,
)

SmallShare = Annotated[float, Field(ge=0.0, lt=0.5)]

_COARSE_BOX, _REFINED_BOX = "bbox_coarse", "bbox_guess"


class GlimpseSettings(Settings):
    """Section `train.architectures.glimpse`."""

    stem_filters: PositiveInt
    stride: PositiveInt
    coarse_filters: PositiveInt
    glimpse_size: Annotated[int, Field(ge=16, multiple_of=4)]
    glimpse_margin: Annotated[float, Field(ge=1.0)]
    glimpse_jitter: SmallShare
    glimpse_tilt: SmallShare
    fine_filters: Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
    label_units: PositiveInt
    bbox_units: PositiveInt
    dropout: Share
    view_shift: SmallShare
    size_tolerance: SmallShare
    center_tolerance: SmallShare
    coarse_loss_weight: PositiveFloat
    guess_loss_weight: PositiveFloat
    snap: bool


def build_glimpse(settings: GlimpseSettings, spec: ModelSpec) -> Network:
    """Build a coarse detector, a glimpse of its box, and two heads on the glimpse.

    Each cell of a grid of patches proposes a box; their average by attention is the coarse box. A
    window around it is resampled to a fixed size. Its features give the label and refine the box.
    The saved model averages the label over several windows.

    Features lose fractions of a pixel. Therefore the size of the refined box is replaced by the
    size of most training boxes when it is close to it. If the center of mass determines the center
    of the training boxes, it replaces the center in the same way.
    """
    images, pixels = image_input(spec, scale=1 / 255)
    random_key = random_key_input()
    coarse = _coarse_box(pixels, settings)
    heads = _Heads(settings, spec)
    # `Layer.output` is the output of the first call, which has to be that of the saved model.
    saved = heads(pixels, coarse)
    trained = heads(pixels, coarse, random_key)
    label = heads.average_label(saved[LABEL], pixels, coarse)
    grid = (spec.height, spec.width) if settings.snap and spec.whole_pixel_boxes else None
    bbox = ClipAndSnapBox(grid=grid, dtype="float32", name=BBOX)(saved[BBOX])
    return Network(
        trainable=keras.Model(
            {"image": images, RANDOM_KEY: random_key},
            trained | {_COARSE_BOX: coarse},
            name="glimpse_training",
        ),
        localizer=keras.Model(images, {LABEL: label, BBOX: bbox}, name="glimpse"),
        auxiliary_boxes={
            _COARSE_BOX: settings.coarse_loss_weight,
            _REFINED_BOX: settings.guess_loss_weight,
        },
        undecayed_weights=(*UNDECAYED, "deviations"),
    )


class _Chain:
    """Layers that are called one after the other and share their weights between calls."""

    def __init__(self, layers: Sequence[keras.layers.Layer]) -> None:
        self._layers = layers

    def __call__(self, x: Any) -> Any:
        for layer in self._layers:
            x = layer(x)
        return x


def _coarse_box(pixels: Any, settings: GlimpseSettings) -> Any:
    filters = settings.coarse_filters
    # Not normalized, which would take longer than the convolution on such a fine grid.
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
    # Extends the receptive field of a cell to whole objects.
    far = _Chain(_convolution(filters, "coarse_3"))(near)
    x = keras.layers.Add(name="coarse_features")([near, far])
    proposals = keras.layers.Conv2D(5, 1, name="coarse_proposals")(x)
    return AttendedBox(dtype="float32", name=_COARSE_BOX)(proposals)


class _Heads:
    """Glimpse of a coarse box, and the heads `label` and `bbox` on it."""

    def __init__(self, settings: GlimpseSettings, spec: ModelSpec) -> None:
        self._settings = settings
        self._jitter = JitterBox(settings.glimpse_jitter, dtype="float32", name="jitter")
        self._glimpse = Glimpse(
            settings.glimpse_size, settings.glimpse_margin, dtype="float32", name="glimpse"
        )
        self._shear = RandomShear(settings.glimpse_tilt, dtype="float32", name="tilt")
        self._features = _Chain(_feature_layers(settings))
        self._label = _Chain(_label_layers(settings, spec))
        self._bbox = _BoxHead(settings, spec)

    def __call__(self, pixels: Any, coarse: Any, random_key: Any = None) -> dict[str, Any]:
        """Return the outputs of a window; with a random key, window and glimpse are augmented."""
        seen = coarse if random_key is None else self._jitter([coarse, random_key])
        glimpse, window = self._glimpse([pixels, seen])
        sheared = glimpse if random_key is None else self._shear([glimpse, random_key])
        features = self._features(sheared)
        return {LABEL: self._label(features)} | self._bbox(glimpse, features, coarse, window)

    def average_label(self, label: Any, pixels: Any, coarse: Any) -> Any:
        """Return the mean of a label and those of four shifted windows."""
        shift = self._settings.view_shift
        if not shift:
            return label
        shifts = [(x, y) for y in (-shift, shift) for x in (-shift, shift)]
        glimpses = []
        for number, each in enumerate(shifts, start=1):
            shifted = ShiftBox(each, dtype="float32", name=f"view_{number}")(coarse)
            glimpses.append(self._glimpse([pixels, shifted])[0])
        views = keras.layers.Concatenate(axis=0, name="views")(glimpses)
        others = self._label(self._features(views))
        return AverageViews(dtype="float32", name="label_mean")([label, others])


class _BoxHead:
    """Refinement of a coarse box."""

    def __init__(self, settings: GlimpseSettings, spec: ModelSpec) -> None:
        self._encode = EncodeBoxDeltas(dtype="float32", name="coarse_in_window")
        self._profiles = ProjectionProfiles(dtype="float32", name="profiles")
        self._concatenate = keras.layers.Concatenate(name="bbox_features")
        self._hidden = keras.layers.Dense(
            settings.bbox_units, activation="relu", name="bbox_hidden"
        )
        self._shift = keras.layers.Dense(2, kernel_initializer="zeros", name="move")
        self._factor = keras.layers.Dense(2, kernel_initializer="zeros", name="log_factor")
        self._decode = DecodeBoxDeltas(dtype="float32", name=_REFINED_BOX)
        self._snap = SnapToStatistics(
            typical_size=spec.box_statistics.typical_size,
            size_tolerance=settings.size_tolerance,
            center_tolerance=settings.center_tolerance,
            dtype="float32",
            name=RAW_BOX,
        )
        offset = spec.box_statistics.mass_offset
        self._has_mass_center = offset is not None
        if offset is not None:
            self._weights = ForegroundWeights(dtype="float32", name="foreground_weights")
            self._mass_center = CenterOfMass(offset, dtype="float32", name="mass_center")

    def __call__(self, glimpse: Any, features: Any, coarse: Any, window: Any) -> dict[str, Any]:
        """Return the refined box and the final box.

        The features are those of a sheared glimpse in training, and too coarse for a size, so the
        head also takes the profiles of the glimpse as it is.
        """
        inputs = [features, self._profiles(glimpse), self._encode([coarse, window])]
        x = self._hidden(self._concatenate(inputs))
        refined = self._decode([coarse, self._shift(x), self._factor(x)])
        boxes = [refined]
        if self._has_mass_center:
            boxes.append(self._mass_center([self._weights(glimpse), window]))
        return {_REFINED_BOX: refined, BBOX: self._snap(boxes)}


def _feature_layers(settings: GlimpseSettings) -> list[keras.layers.Layer]:
    """Return layers that reduce a glimpse to an eighth of its resolution, and flatten it."""
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
        keras.layers.Dense(spec.classes, activation="softmax", dtype="float32", name=LABEL),
    ]


def _convolution(filters: int, name: str, strides: int = 1) -> list[keras.layers.Layer]:
    return [
        keras.layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=name),
        FusedBatchNormalization(momentum=0.95, name=f"{name}_norm"),
        keras.layers.ReLU(name=f"{name}_relu"),
    ]


ARCHITECTURE = Architecture(
    settings=GlimpseSettings,
    build=build_glimpse,
    training_defaults=TrainingDefaults(
        epochs=11,
        batch_size=128,
        learning_rate=0.008,
        weight_decay=0.1,
        schedule="cosine",
        bbox_loss="pixel",
        loss_weights=LossWeights(label=1.0, bbox=0.03),
        augmentation=PRESETS["digits"],
        early_stopping=EarlyStoppingSettings(
            monitor="val_loss", mode="min", patience=10, min_delta=0.0
        ),
    ),
    reference_images=54_000,
)
