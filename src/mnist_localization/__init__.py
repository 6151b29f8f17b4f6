"""Single-object localization with Kedro, Keras and Weights & Biases.

Example:
    ```python
    from mnist_localization import Localizer

    localizer = Localizer.load("data/06_models/localizer.keras")
    (detection,) = localizer.predict("photo.jpg")
    print(detection.label, detection.confidence, detection.box)
    ```
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_localization.inference import Box, Detection, Localizer

__version__ = "0.1.0"

__all__ = ["Box", "Detection", "Localizer", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the public classes on first use, so that importing the package stays fast."""
    if name in {"Box", "Detection", "Localizer"}:
        from mnist_localization import inference

        return getattr(inference, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
