"""Dataset of a few images with the names and formats of the published one."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = (
    "MNIST_Converted_Training.zip",
    "training_data.csv",
    "MNIST_Converted_Testing.zip",
    "test_data.csv",
)
CANVAS, FRAME, CLASSES = 100, 28, 10


def make_tiny_dataset(folder: Path, train: int = 30, test: int = 10, seed: int = 1) -> Path:
    """Write two archives and two CSVs: noise of 28x28 pixels on black canvases of 100x100."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for word, short, count in (("Training", "training", train), ("Testing", "test", test)):
        rows = []
        stem = f"MNIST_Converted_{word}"
        with zipfile.ZipFile(folder / f"{stem}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(1, count + 1):
                x, y = random.integers(0, CANVAS - FRAME, size=2)
                pixels = np.zeros((CANVAS, CANVAS), np.uint8)
                pixels[y : y + FRAME, x : x + FRAME] = random.integers(1, 256, (FRAME, FRAME))
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG")
                name = f"converted_{word.lower()}{number}.png"
                archive.writestr(f"{stem}/{name}", buffer.getvalue())
                box = [corner / CANVAS for corner in (x, y, x + FRAME, y + FRAME)]
                rows.append(",".join([name, str(number % CLASSES), *map(str, map(float, box))]))
        (folder / f"{short}_data.csv").write_text("\n".join(rows) + "\n", newline="\n")
    return folder
