"""A dataset as an engineer may bring one: color shapes on clutter, in files of many kinds.

`python tests/shapes_dataset.py data/shapes` draws the pictures that conf/own_images describes.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Corners = tuple[int, int, int, int]

_SUFFIXES = (".png", ".jpg", ".webp", ".bmp")


def _disc(draw: ImageDraw.ImageDraw, box: Corners, color: tuple[int, int, int]) -> None:
    draw.ellipse(box, fill=color)


def _box(draw: ImageDraw.ImageDraw, box: Corners, color: tuple[int, int, int]) -> None:
    draw.rectangle(box, fill=color)


def _triangle(draw: ImageDraw.ImageDraw, box: Corners, color: tuple[int, int, int]) -> None:
    left, top, right, bottom = box
    draw.polygon([(left, bottom), ((left + right) // 2, top), (right, bottom)], fill=color)


def _cross(draw: ImageDraw.ImageDraw, box: Corners, color: tuple[int, int, int]) -> None:
    left, top, right, bottom = box
    third_x, third_y = (right - left) // 3, (bottom - top) // 3
    draw.rectangle((left + third_x, top, right - third_x, bottom), fill=color)
    draw.rectangle((left, top + third_y, right, bottom - third_y), fill=color)


SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, Corners, tuple[int, int, int]], None]] = {
    "disc": _disc,
    "box": _box,
    "triangle": _triangle,
    "cross": _cross,
}


def make_shapes(folder: Path, count: int, seed: int = 0) -> None:
    """Draw a dataset: `images/` and `annotations.csv` (image, shape, left, top, width, height).

    Heights and widths lie in 80..240 pixels, sides of the shapes in a quarter to three
    quarters of the shorter side of the image, each side drawn by itself.
    """
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    with (folder / "annotations.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "id", "shape", "left", "top", "width", "height"])
        for number in range(count):
            shape = tuple(SHAPES)[number % len(SHAPES)]
            image, (left, top, right, bottom) = _picture(shape, random)
            name = f"{number:05d}{_SUFFIXES[number // len(SHAPES) % len(_SUFFIXES)]}"
            _save(image, folder / "images" / name, number)
            writer.writerow([name, number, shape, left, top, right - left, bottom - top])


def _picture(shape: str, random: np.random.Generator) -> tuple[Image.Image, Corners]:
    width, height = random.integers(80, 241, size=2)
    shortest = min(width, height)
    wide, high = random.integers(shortest // 4, 3 * shortest // 4 + 1, size=2)
    left, top = random.integers(0, [width - wide + 1, height - high + 1])
    image = _clutter(int(width), int(height), random)
    draw = ImageDraw.Draw(image)
    # Pillow draws the last row and column too.
    SHAPES[shape](draw, (left, top, left + wide - 1, top + high - 1), _color(random, bright=True))
    noise = random.normal(0, random.uniform(0, 12), (height, width, 3))
    pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), (int(left), int(top), int(left + wide), int(top + high))


def _clutter(width: int, height: int, random: np.random.Generator) -> Image.Image:
    """A blurred patchwork with thin lines over it, darker than any shape."""
    patches = random.integers(0, 110, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
    image = image.filter(ImageFilter.GaussianBlur(2))
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(6, 14)):
        x, y = random.integers(0, [width, height])
        length = random.integers(-min(width, height) // 3, min(width, height) // 3, 2)
        color = _color(random, bright=bool(random.random() < 0.4))
        draw.line((x, y, x + length[0], y + length[1]), fill=color, width=1)
    return image


def _color(random: np.random.Generator, *, bright: bool) -> tuple[int, int, int]:
    """One channel at least is bright, where it has to be."""
    color = random.integers(30, 130, 3)
    if bright:
        color[random.permutation(3)[: random.integers(1, 4)]] += random.integers(100, 126)
    red, green, blue = map(int, color)
    return red, green, blue


def _save(image: Image.Image, path: Path, number: int) -> None:
    """Of the PNGs, some have an alpha channel, and some are gray."""
    if path.suffix == ".png" and number % 16 == 0:
        image.convert("RGBA" if number % 32 else "L").save(path)
    elif path.suffix in {".jpg", ".webp"}:
        image.save(path, quality=92)
    else:
        image.save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    make_shapes(given.folder, given.images, given.seed)
