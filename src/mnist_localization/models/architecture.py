"""The contract between architectures and the rest of the project.

An architecture is one module in `models/architectures` with the constant `ARCHITECTURE`. Its file
name is its name in `train.architecture`, and its settings are the section
`train.architectures.<name>` of the parameters. No other file lists it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import numpy as np
from pydantic import ValidationError

from mnist_localization.config import Settings
from mnist_localization.config.train import ResolvedTrainSettings, TrainingDefaults, TrainSettings
from mnist_localization.data.boxes import centers_of_mass, typical_size
from mnist_localization.data.images.store import ImageStore
from mnist_localization.errors import ModelError
from mnist_localization.models.layers import ImageInput
from mnist_localization.models.provenance import Provenance
from mnist_localization.registry import load_module, module_names

FOLDER = "models/architectures"

# Outputs of a localizer: class probabilities [batch, classes] and relative corners [batch, 4].
LABEL, BBOX = "label", "bbox"
# Optional outputs of a localizer, each [batch, 1] in [0, 1]: the confidence in the box, and the
# probability that the image contains an object. They become columns of the table `predictions`.
BBOX_CONFIDENCE, PRESENCE = "bbox_confidence", "presence"
# Layer of a localizer that outputs the box before clipping and snapping. Without a layer of this
# name, the box counts as not snapped.
RAW_BOX = "bbox_raw"
# Optional second input of a trainable model, uint32 [batch, 2]: see `Network`.
RANDOM_KEY = "random_key"

# Patterns of the names of weights that are added to features or scale them.
UNDECAYED = ("bias", "gamma", "beta")

# Number of training images that are examined, evenly spaced over the split.
_EXAMINED = 8192
_BATCH = 512
# The center of mass determines the center of a box if 95 % of the boxes are this close, in pixels.
_CLOSE = 0.75


@dataclass(frozen=True)
class BoxStatistics:
    """Regularities of the training boxes; each is `None` if the dataset does not have it.

    Attributes:
        typical_size: Width and height of most boxes, relative to the image.
        mass_offset: Distance from the center of mass of an image (weighted by brightness, with
            pixels at their middle) to the center of its box, relative to the image, if it is the
            same for all images up to rounding to whole pixels.
    """

    typical_size: tuple[float, float] | None = None
    mass_offset: tuple[float, float] | None = None


@dataclass(frozen=True)
class ModelSpec:
    """Properties of the data that a model is built for.

    Attributes:
        height: Height of the model input, in pixels.
        width: Width of the model input, in pixels.
        channels: 1 for gray, 3 for color.
        classes: Number of classes.
        whole_pixel_boxes: Whether annotated corners are at whole pixels of the model input.
        provenance: Facts about the training that the saved model carries.
        box_statistics: Regularities of the training boxes.
    """

    height: int
    width: int
    channels: int
    classes: int
    whole_pixel_boxes: bool
    provenance: Provenance = field(default_factory=Provenance)
    box_statistics: BoxStatistics = field(default_factory=BoxStatistics)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return height, width and channels."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class ExtraOutput:
    """An output of a trainable model besides `label`, `bbox` and the auxiliary boxes.

    Attributes:
        loss: Loss of the output.
        target: Function from the targets of a batch, `label` `[batch]` and `bbox` `[batch, 4]`,
            to the target of the output. It is traced by TensorFlow.
        loss_weight: Weight of the loss in the total loss.
    """

    loss: keras.losses.Loss
    target: Callable[[Mapping[str, Any]], Any]
    loss_weight: float = 1.0


@dataclass(frozen=True)
class Network:
    """One set of weights in two views, one to train and one to save.

    Both views take images with pixels 0..255, `[batch, height, width, channels]`; `image_input`
    scales them inside the model. Both return a dict with the outputs `label` (probabilities,
    `[batch, classes]`) and `bbox` (relative corners, `[batch, 4]`).

    Randomness in training, such as jitter, must depend on nothing but seed, epoch and row. For
    that, a trainable model may have a second input named `random_key`, from which
    `models.layers.keyed_uniform` draws numbers. Keras' dropout uses a seed generator, whose state
    is part of the checkpoint.

    Attributes:
        trainable: Model to fit. Its box must be differentiable, so it is not snapped.
        localizer: Model to save. Its box is clipped to [0, 1] and ordered. It may have the
            optional outputs `bbox_confidence` and `presence`, and a layer `bbox_raw`.
        auxiliary_boxes: Outputs of `trainable` that are trained on the annotated box with the loss
            of the head `bbox`, and the weights of their losses.
        extra_outputs: Other outputs of `trainable`, with their losses and targets.
        undecayed_weights: Regular expressions; weights whose name contains a match are excluded
            from weight decay.
    """

    trainable: keras.Model
    localizer: keras.Model
    auxiliary_boxes: Mapping[str, float] = field(default_factory=dict)
    extra_outputs: Mapping[str, ExtraOutput] = field(default_factory=dict)
    undecayed_weights: tuple[str, ...] = UNDECAYED

    @property
    def takes_random_key(self) -> bool:
        """Return whether the trainable model has the input `random_key`."""
        return RANDOM_KEY in {tensor.name for tensor in self.trainable.inputs}


AnySettings = TypeVar("AnySettings", bound=Settings)


@dataclass(frozen=True)
class Architecture(Generic[AnySettings]):
    """A family of models: settings, builder and training defaults.

    Attributes:
        settings: Model of the section `train.architectures.<name>`. If all its fields have
            defaults, the section may be missing.
        build: Function from settings and properties of the data to a network with new weights.
        training_defaults: Values for the keys of the section `train` that are null.
        reference_images: Number of training images that the defaults are for; they are scaled for
            other numbers. `None`: they are the same for all numbers.

    Example:
        ```python
        ARCHITECTURE = Architecture(MySettings, build_my_network, TrainingDefaults(epochs=10, ...))
        ```
    """

    settings: type[AnySettings]
    build: Callable[[AnySettings, ModelSpec], Network]
    training_defaults: TrainingDefaults
    reference_images: int | None = None

    def defaults_for(self, train_images: int) -> TrainingDefaults:
        """Return the training defaults for a number of training images."""
        if self.reference_images is None:
            return self.training_defaults
        return self.training_defaults.scaled(self.reference_images, train_images)

    def validate(self, name: str, settings: Mapping[str, Any]) -> AnySettings:
        """Validate the section of the architecture.

        Raises:
            ModelError: A key is unknown or missing, or a value is not valid.
        """
        try:
            return self.settings.model_validate(dict(settings))
        except ValidationError as error:
            raise ModelError(f"train.architectures.{name} is not valid: {error}") from error


def load_architecture(name: str) -> Architecture[Any]:
    """Import an architecture of the registry.

    Raises:
        ModelError: The name is unknown.
    """
    if name not in module_names(FOLDER):
        raise ModelError(
            f"train.architecture is {name!r}; choose one of {', '.join(module_names(FOLDER))}"
        )
    architecture: Architecture[Any] = load_module(FOLDER, name).ARCHITECTURE
    return architecture


def resolve_settings(settings: TrainSettings, train_images: int) -> ResolvedTrainSettings:
    """Fill the null keys of the section `train` with the defaults of its architecture.

    Args:
        settings: The section `train`.
        train_images: Number of training images.

    Raises:
        ModelError: The section of the architecture is not valid.
    """
    name = settings.architecture
    architecture = load_architecture(name)
    section = architecture.validate(name, settings.architectures.get(name) or {})
    scaled = architecture.defaults_for(train_images)
    return settings.with_defaults(architecture.training_defaults, scaled, section.model_dump())


def build_network(name: str, settings: Mapping[str, Any], spec: ModelSpec) -> Network:
    """Build a network with new weights.

    Args:
        name: Name of the architecture in the registry.
        settings: Section `train.architectures.<name>`.
        spec: Properties of the data.

    Raises:
        ModelError: The name is unknown or the section is not valid.
    """
    architecture = load_architecture(name)
    return architecture.build(architecture.validate(name, settings), spec)


def image_input(spec: ModelSpec, scale: float) -> tuple[Any, Any]:
    """Create the image input of a network.

    Args:
        spec: Properties of the data; its provenance is stored in the layer.
        scale: Factor of the pixel values 0..255.

    Returns:
        Symbolic tensors `[batch, height, width, channels]`: the input and its scaled pixels.
    """
    images = keras.Input(spec.shape, name="image")
    layer = ImageInput(scale=scale, provenance=spec.provenance.to_json(), name="input")
    return images, layer(images)


def random_key_input() -> Any:
    """Create the optional input `random_key` of a trainable model, uint32 `[batch, 2]`."""
    return keras.Input((2,), dtype="uint32", name=RANDOM_KEY)


def compute_box_statistics(training: ImageStore) -> BoxStatistics:
    """Return the regularities of a training split, from up to some thousand of its images."""
    return BoxStatistics(typical_size(training.input_boxes), _mass_offset(training))


def _mass_offset(training: ImageStore) -> tuple[float, float] | None:
    height, width, _ = training.shape
    rows = np.unique(np.linspace(0, len(training) - 1, _EXAMINED).astype(int))
    batches = np.array_split(rows, -(-len(rows) // _BATCH))
    indices = np.concatenate([centers_of_mass(training.read(batch)) for batch in batches])
    centers = (indices + 0.5) / [width, height]
    boxes = training.input_boxes[rows].astype(np.float64)
    distances = (boxes[:, :2] + boxes[:, 2:]) / 2 - centers
    # The middle of the range, because rounding to whole pixels distributes distances uniformly.
    offset = np.quantile(distances, [0.01, 0.99], axis=0).mean(axis=0)
    close = (np.abs(distances - offset) * [width, height] <= _CLOSE).all(axis=1)
    return (float(offset[0]), float(offset[1])) if close.mean() >= 0.95 else None
