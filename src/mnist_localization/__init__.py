"""Single-object localization with Kedro, Keras and Weights & Biases."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_localization.inference import Box, Detection, Localizer

__version__ = "0.1.0"

__all__ = ["Box", "Detection", "Localizer", "__version__"]


def __getattr__(name: str) -> Any:
    # On first use: an import of the package alone loads no library at all.
    if name in {"Box", "Detection", "Localizer"}:
        from mnist_localization import inference

        return getattr(inference, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
