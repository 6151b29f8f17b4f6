import numpy as np
import pytest

from mnist_localization import Localizer
from mnist_localization.inference import describe_images
from mnist_localization.models.provenance import Provenance
from support.small_models import trained_localizer
from support.small_stores import make_store


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Save a small localizer of light squares on black images of 40x40 pixels."""
    folder = tmp_path_factory.mktemp("saved")
    store = make_store(folder, 256, 0)
    images = describe_images(store.read(np.arange(64)))
    provenance = Provenance(class_names=("small", "large"), images=images)
    trained_localizer(store, provenance, epochs=40).save(folder / "localizer.keras")
    return folder / "localizer.keras"


@pytest.fixture(scope="session")
def localizer(saved):
    return Localizer.load(saved)


@pytest.fixture
def square():
    """Return a function that draws a light square on a dark image."""

    def drawn(height, width, left, top, side):
        pixels = np.zeros((height, width), np.uint8)
        pixels[top : top + side, left : left + side] = 220
        return pixels

    return drawn
