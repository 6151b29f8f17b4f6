"""Draw an example of a custom dataset: one colored shape per image on a cluttered background.

`python examples/draw_shapes.py data/shapes` draws the images that `conf/own_images` describes.
The sizes, file types and color modes of the images vary.
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


def draw_shapes(folder: Path, count: int, seed: int = 0) -> None:
    """Draw the dataset: the folder `images` and the table `annotations.csv`.

    The table has the columns `image, id, shape, left, top, width, height`, in pixels. Heights and
    widths of images are in 80..240 pixels. The sides of a shape are independent of each other, and
    between a quarter and three quarters of the shorter side of the image.

    Args:
        folder: Folder to write to. Its subfolder `images` must not exist.
        count: Number of images.
        seed: Seed of all random choices.
    """
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    with (folder / "annotations.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "id", "shape", "left", "top", "width", "height"])
        for number in range(count):
            shape = tuple(SHAPES)[number % len(SHAPES)]
            image, (left, top, right, bottom) = _draw_image(shape, random)
            name = f"{number:05d}{_SUFFIXES[number // len(SHAPES) % len(_SUFFIXES)]}"
            _save(image, folder / "images" / name, number)
            writer.writerow([name, number, shape, left, top, right - left, bottom - top])


def _draw_image(shape: str, random: np.random.Generator) -> tuple[Image.Image, Corners]:
    width, height = random.integers(80, 241, size=2)
    shortest = min(width, height)
    wide, high = random.integers(shortest // 4, 3 * shortest // 4 + 1, size=2)
    left, top = random.integers(0, [width - wide + 1, height - high + 1])
    image = _draw_background(int(width), int(height), random)
    draw = ImageDraw.Draw(image)
    # Pillow includes the last row and column.
    SHAPES[shape](draw, (left, top, left + wide - 1, top + high - 1), _color(random, bright=True))
    noise = random.normal(0, random.uniform(0, 12), (height, width, 3))
    pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), (int(left), int(top), int(left + wide), int(top + high))


def _draw_background(width: int, height: int, random: np.random.Generator) -> Image.Image:
    """Return blurred patches, darker than any shape, with thin lines."""
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
    """Return a random color; at least one channel of a bright color is at least 130."""
    color = random.integers(30, 130, 3)
    if bright:
        color[random.permutation(3)[: random.integers(1, 4)]] += random.integers(100, 126)
    red, green, blue = map(int, color)
    return red, green, blue


def _save(image: Image.Image, path: Path, number: int) -> None:
    """Save an image in the format of its suffix; some PNGs are gray or have an alpha channel."""
    if path.suffix == ".png" and number % 16 == 0:
        image.convert("RGBA" if number % 32 else "L").save(path)
    elif path.suffix in {".jpg", ".webp"}:
        image.save(path, quality=92)
    else:
        image.save(path)


def main() -> None:
    """Draw the dataset into the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Draw the example dataset of conf/own_images.")
    parser.add_argument("folder", type=Path, help="output folder, for example data/shapes")
    parser.add_argument("--images", type=int, default=3000, help="number of images")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random choices")
    options = parser.parse_args()
    if (options.folder / "images").exists():
        parser.error(f"{options.folder / 'images'} exists; remove it, or name another folder")
    draw_shapes(options.folder, options.images, options.seed)


if __name__ == "__main__":
    main()
