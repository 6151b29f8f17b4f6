"""The results of a prediction as files: tables, JSON and overlays, in a folder of the user's."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from tqdm import tqdm

from mnist_localization.data.images import decode_image
from mnist_localization.errors import LocalizationError

PREDICTIONS_CSV = "predictions.csv"
PREDICTIONS_JSON = "predictions.json"
FAILURES_CSV = "failures.csv"
OVERLAYS = "overlays"

# Marks a folder as one of ours: its files may be replaced by those of the next prediction.
_MADE_BY = "mnist-localization predict"
_SMALLEST_SIDE = 320  # pixels of an overlay
_LINE, _SHADE = (255, 65, 54), (0, 0, 0)


def write_results(
    results: pd.DataFrame,
    failures: pd.DataFrame,
    folder: Path,
    *,
    model: dict[str, Any],
    overlays: int,
    max_image_mb: float,
) -> None:
    """Write everything that a prediction found.

    Each file is written beside and renamed. Nothing is ever deleted; files of the same names
    are replaced only where an earlier prediction made them.

    Args:
        results: Columns `files.RESULT_COLUMNS`.
        failures: Columns `files.FAILURE_COLUMNS`.
        folder: Where they go; made when it does not exist.
        model: What is said of the model in the JSON file.
        overlays: How many images are drawn with their boxes, at most.
        max_image_mb: Size above which a decoded image is refused, in MiB.

    Raises:
        LocalizationError: The folder holds files of the same names that are not ours, or
            cannot be written.
    """
    _check_folder(folder)
    document = {"made_by": _MADE_BY, "model": model, "images": _documents(results)}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        (folder / OVERLAYS).mkdir(parents=True, exist_ok=True)
        # The mark first: a run that is killed later can be repeated.
        _write(folder / PREDICTIONS_JSON, lambda path: path.write_text(text, "utf-8"))
        _write(folder / PREDICTIONS_CSV, lambda path: results.to_csv(path, index=False))
        _write(folder / FAILURES_CSV, lambda path: failures.to_csv(path, index=False))
        for number, row in enumerate(
            tqdm(
                results.head(overlays).to_dict("records"),
                desc="overlays",
                unit="image",
                disable=None,
            ),
            start=1,
        ):
            drawn = overlay({str(key): value for key, value in row.items()}, max_image_mb)
            name = f"{number:05d}_{Path(row['file']).stem}.png"
            _write(folder / OVERLAYS / name, drawn.save)
    except OSError as error:
        raise LocalizationError(
            f"predict.output: {folder} cannot be written ({error}); free some space, or name "
            "another folder"
        ) from error


def overlay(row: dict[str, Any], max_image_mb: float) -> Image.Image:
    """An image with its box, and label and confidence above it.

    Args:
        row: A row of the results.
        max_image_mb: Size above which a decoded image is refused, in MiB.
    """
    pixels = decode_image(Path(row["file"]), channels=3, max_mb=max_image_mb)
    image = Image.fromarray(pixels)
    scale = -(-_SMALLEST_SIDE // min(image.size)) if min(image.size) < _SMALLEST_SIDE else 1
    # Very long images would grow beyond reason.
    scale = scale if max(image.size) * scale <= 4 * _SMALLEST_SIDE else 1
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    width = max(1, min(image.size) // 200)
    corners = np.array([row[name] for name in ("xmin", "ymin", "xmax", "ymax")]) * scale
    xmin, ymin, xmax, ymax = corners.tolist()
    draw = ImageDraw.Draw(image)
    # Pillow draws its lines inside the corners, both included.
    right, bottom = max(xmin, xmax - 1), max(ymin, ymax - 1)
    draw.rectangle((xmin, ymin, right, bottom), outline=_LINE, width=width)
    text = f"{row['label']}  {100 * row['confidence']:.0f} %"
    size = max(12, min(image.size) // 25)
    above = (xmin, max(0.0, ymin - 1.4 * size))
    draw.text(above, text, fill=_LINE, font_size=size, stroke_width=2, stroke_fill=_SHADE)
    return image


def _documents(results: pd.DataFrame) -> list[dict[str, Any]]:
    corners = ["xmin", "ymin", "xmax", "ymax"]
    plain: list[Any] = results.drop(columns=corners).to_dict("records")
    boxes = results[corners].to_dict("records")
    return [{**row, "box": box} for row, box in zip(plain, boxes, strict=True)]


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise LocalizationError(f"predict.output: {folder} is a file; name a folder")
    names = (PREDICTIONS_CSV, PREDICTIONS_JSON, FAILURES_CSV, OVERLAYS)
    present = [name for name in names if (folder / name).exists()]
    if present and not _is_ours(folder):
        raise LocalizationError(
            f"predict.output: {folder} holds {', '.join(present)}, made by something else, and "
            "they are not replaced; name another folder"
        )


def _is_ours(folder: Path) -> bool:
    try:
        document = json.loads((folder / PREDICTIONS_JSON).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("made_by") == _MADE_BY


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    beside = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
