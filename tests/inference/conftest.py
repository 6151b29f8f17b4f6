import numpy as np
import pytest

from mnist_localization import Localizer
from mnist_localization.inference import appearance
from mnist_localization.models.provenance import ImageFacts, Provenance
from support.small_models import trained_localizer
from support.small_stores import make_store


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A small localizer of squares, as a file: 40x40 pixels, a light square on black."""
    folder = tmp_path_factory.mktemp("saved")
    store = make_store(folder, 256, 0)
    seen = appearance(store.read(np.arange(64)))
    images = ImageFacts(brightness=seen.brightness, border=seen.border)
    provenance = Provenance(class_names=("small", "large"), images=images)
    trained_localizer(store, provenance, epochs=40).save(folder / "localizer.keras")
    return folder / "localizer.keras"


@pytest.fixture(scope="session")
def localizer(saved):
    return Localizer.load(saved)


@pytest.fixture
def square():
    """Draws a light square on dark: height, width, and the square's left, top and side."""

    def drawn(height, width, left, top, side):
        pixels = np.zeros((height, width), np.uint8)
        pixels[top : top + side, left : left + side] = 220
        return pixels

    return drawn
