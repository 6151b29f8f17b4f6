"""Prediction of a user's image files: find them, predict them in batches, write the results."""

import glob
import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw
from tqdm import tqdm

from mnist_localization.config.data import SplitSettings
from mnist_localization.config.results import PredictSettings
from mnist_localization.data.annotations.formats import load_format
from mnist_localization.data.boxes import PREDICTED_BOX_COLUMNS, SIZE_COLUMNS
from mnist_localization.data.images.decode import decode_image, printable
from mnist_localization.errors import ImageError, LocalizationError
from mnist_localization.evaluation.predictions import in_batches
from mnist_localization.files import atomic_path, files_below, write_text
from mnist_localization.inference.localizer import Box, Localizer, ModelInput
from mnist_localization.models.provenance import model_fingerprint

logger = logging.getLogger(__name__)

RESULT_COLUMNS = (
    *("file", "label", "class_id", "confidence"),
    *Box._fields,
    *("width", "height", "inverted", "unlike_training"),
)
FAILURE_COLUMNS = ("file", "reason")
PREDICTIONS_CSV = "predictions.csv"
PREDICTIONS_JSON = "predictions.json"
FAILURES_CSV = "failures.csv"
OVERLAYS = "overlays"

_EXAMPLE = "kedro run --pipelines=predict --params predict.images=./photos,predict.output=./found"
_MAX_LISTED = 10
# Marks a folder whose files may be replaced by those of the next prediction.
_MADE_BY = "mnist-localization predict"
_MIN_OVERLAY_SIDE = 320  # pixels
# Bytes of a name; file systems allow 255, and a number, a suffix and a temporary mark are added.
_MAX_STEM = 180
_LINE_COLOR, _TEXT_STROKE = (255, 65, 54), (0, 0, 0)


def find_images(settings: PredictSettings, project_folder: Path) -> list[Path]:
    """Return the files that `predict.images` refers to.

    `predict.images` is a file, a folder (including the folders below it) or a glob pattern. An
    existing name is not treated as a pattern. Files in the output folder are left out.

    Args:
        settings: Section `predict`.
        project_folder: Folder that relative paths start at.

    Returns:
        Files sorted by name. Hidden files are included only if they are named explicitly.

    Raises:
        ImageError: `predict.images` is empty or matches nothing.
    """
    if not settings.images:
        raise ImageError(f"predict.images is empty; name a file, a folder or a pattern: {_EXAMPLE}")
    pattern = Path(settings.images).expanduser()
    path = project_folder / pattern
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [path / name for name in files_below(path) if not _is_hidden(name)]
    else:
        # The project's own path is not part of the pattern because it may contain brackets.
        _check_folders(pattern.parent, project_folder)
        matches = glob.glob(str(pattern), root_dir=project_folder, recursive=True)  # noqa: PTH207
        found = [project_folder / each for each in matches]
    output = _output_folder(settings, project_folder).resolve()
    outside = [each for each in found if not each.parent.resolve().is_relative_to(output)]
    files = sorted(each for each in outside if each.is_file())
    if not files:
        raise ImageError(
            f"predict.images: {path} is not a file, a folder with files or a pattern that matches "
            "any. Relative paths start at the project. On the command line, start a pattern with "
            './ and quote a path that contains ": " or " #" twice: '
            "--params 'predict.images=\"./a: b.png\"'"
        )
    return files


def predict_images(
    settings: PredictSettings, split: SplitSettings, localizer: Any, image_files: list[Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict image files in batches and set unreadable files aside.

    Args:
        settings: Section `predict`.
        split: Section `split`, for the size limit of decoded images.
        localizer: Keras model.
        image_files: Files to predict.

    Returns:
        Results (`RESULT_COLUMNS`, boxes in pixels of each image) and failures
        (`FAILURE_COLUMNS`).

    Raises:
        ImageError: None of the files can be read.
    """
    model = Localizer.from_model(localizer, max_image_mb=split.max_image_mb)
    results: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    for files in in_batches(image_files, settings.batch_size, "predict"):
        readable: dict[str, ModelInput] = {}
        for file in files:
            name = printable(file)
            try:
                if name != str(file):
                    raise ImageError("the file name is not valid UTF-8; rename the file")
                readable[name] = model.model_input(file, settings.invert)
            except ImageError as error:
                failures.append((name, str(error).removeprefix(f"{name}: ")))
        detections = model.predict_inputs(list(readable.values()))
        results += [
            {"file": name, **asdict(detection), **detection.box._asdict()}
            for name, detection in zip(readable, detections, strict=True)
        ]
    if not results:
        listed = "".join(f"\n  {name}: {reason}" for name, reason in failures[:_MAX_LISTED])
        raise ImageError(
            f"none of the {len(image_files)} files of predict.images can be read:{listed}"
        )
    table = pd.DataFrame(results)[list(RESULT_COLUMNS)]
    _warn(table, failures, settings)
    return table, pd.DataFrame(failures, columns=list(FAILURE_COLUMNS))


def write_predictions(
    settings: PredictSettings,
    split: SplitSettings,
    project_folder: Path,
    localizer: Any,
    image_predictions: pd.DataFrame,
    image_failures: pd.DataFrame,
) -> None:
    """Write tables, JSON and overlays into the folder `predict.output`.

    Each file is written atomically. Nothing is deleted, and existing files of the same names
    are replaced only if an earlier prediction wrote them.

    Args:
        settings: Section `predict`.
        split: Section `split`, for the size limit of decoded images.
        project_folder: Folder that relative paths start at.
        localizer: Keras model.
        image_predictions: Results from `predict_images`.
        image_failures: Failures from `predict_images`.

    Raises:
        LocalizationError: The folder contains files of the same names from another source, or
            cannot be written.
    """
    folder = _output_folder(settings, project_folder)
    _check_output_folder(folder)
    table = image_predictions.round({**dict.fromkeys(Box._fields, 3), "confidence": 6})
    failures = image_failures.copy()
    for each in (table, failures):
        each["file"] = [_shown_name(file, settings, project_folder) for file in each["file"]]
    try:
        # The marked JSON comes first, so that a killed run can be repeated.
        write_text(folder / PREDICTIONS_JSON, _json_text(table, localizer))
        write_text(folder / PREDICTIONS_CSV, table.to_csv(index=False))
        write_text(folder / FAILURES_CSV, failures.to_csv(index=False))
        for name in settings.formats:
            _write_format(name, table, Localizer.from_model(localizer), folder / name)
        _write_overlays(image_predictions.head(settings.overlays), folder, split.max_image_mb)
    except OSError as error:
        raise LocalizationError(
            f"predict.output: {folder} cannot be written ({error}); free some space, or name "
            "another folder"
        ) from error
    logger.info(
        "Predicted %d images, %d files left out: %s",
        len(image_predictions),
        len(image_failures),
        folder,
    )


def draw_overlay(file: Path, box: Box, text: str, max_image_mb: float) -> Image.Image:
    """Draw a box and a text above it on an image; small images are enlarged.

    Args:
        file: Image file.
        box: Box in pixels of the image.
        text: Text to draw, such as label and confidence.
        max_image_mb: Maximum size of the decoded image in MiB.
    """
    image = Image.fromarray(decode_image(file, channels=3, max_mb=max_image_mb))
    scale = max(1, -(-_MIN_OVERLAY_SIDE // min(image.size)))
    # Very long images are not enlarged because they would become too large.
    scale = scale if max(image.size) * scale <= 4 * _MIN_OVERLAY_SIDE else 1
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    xmin, ymin, xmax, ymax = (corner * scale for corner in box)
    draw = ImageDraw.Draw(image)
    # Pillow includes both corners in a rectangle.
    right, bottom = max(xmin, xmax - 1), max(ymin, ymax - 1)
    width = max(1, min(image.size) // 200)
    draw.rectangle((xmin, ymin, right, bottom), outline=_LINE_COLOR, width=width)
    size = max(12, min(image.size) // 25)
    above = (xmin, max(0.0, ymin - 1.4 * size))
    draw.text(
        above, text, fill=_LINE_COLOR, font_size=size, stroke_width=2, stroke_fill=_TEXT_STROKE
    )
    return image


def _check_folders(pattern: Path, root: Path) -> None:
    """Check that all folders of a pattern can be listed, because `glob` leaves others out."""
    for name in glob.glob(str(pattern), root_dir=root, recursive=True):  # noqa: PTH207
        folder = root / name
        effective = os.access in os.supports_effective_ids
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK, effective_ids=effective):
            raise ImageError(f"predict.images: {folder}: permission denied; make it readable")


def _output_folder(settings: PredictSettings, project_folder: Path) -> Path:
    return project_folder / Path(settings.output).expanduser()


def _json_text(table: pd.DataFrame, localizer: Any) -> str:
    """Return the predictions and what they were made with as JSON."""
    from mnist_localization.models.saving import run_of

    corners = list(Box._fields)
    images = table.drop(columns=corners)
    images["box"] = pd.Series(table[corners].to_dict("records"), images.index)
    document = {
        "made_by": _MADE_BY,
        "model": {
            "run": run_of(localizer),
            "architecture": localizer.name,
            "fingerprint": model_fingerprint(localizer),
        },
        "images": images.to_dict("records"),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _write_format(name: str, results: pd.DataFrame, localizer: Localizer, folder: Path) -> None:
    """Write the predictions as annotations of a format, which replace those of an earlier run."""
    pixels = results[list(Box._fields)].to_numpy()
    sizes = results[list(SIZE_COLUMNS)].to_numpy()
    table = results[["file", "confidence", *SIZE_COLUMNS]].copy()
    table["predicted_label"] = results["class_id"]
    table[list(PREDICTED_BOX_COLUMNS)] = pixels / sizes[:, [1, 0, 1, 0]]
    count = int(results["class_id"].max()) + 1
    names = localizer.class_names or [str(number) for number in range(count)]
    written = load_format(name).write(table, names, localizer.image_settings)
    texts = {file: text for file, text in written.items() if isinstance(text, str)}
    if not texts:
        texts = {f"{name}.json": json.dumps(written, indent=1, ensure_ascii=False)}
    with atomic_path(folder) as temporary:
        for file, text in texts.items():
            path = temporary / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="")


def _shown_name(file: str, settings: PredictSettings, project_folder: Path) -> str:
    """Return a file relative to the folder in `predict.images`, or absolute as given there."""
    given = Path(settings.images).expanduser()
    if given.is_absolute():
        return file
    folder = project_folder / given
    base = folder if folder.is_dir() else project_folder
    return Path(file).relative_to(base).as_posix() if Path(file).is_relative_to(base) else file


def _short_stem(file: Path) -> str:
    """Return the name without suffix, at most as long as a new name may be."""
    return file.stem.encode()[:_MAX_STEM].decode(errors="ignore")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def _warn(
    results: pd.DataFrame, failures: list[tuple[str, str]], settings: PredictSettings
) -> None:
    for name, reason in failures[:_MAX_LISTED]:
        logger.warning("Left out: %s: %s", name, reason)
    if len(failures) > _MAX_LISTED:
        logger.warning("%d more files left out, see failures.csv.", len(failures) - _MAX_LISTED)
    unlike = int(results["unlike_training"].sum())
    if unlike:
        logger.warning(
            "%d of %d images look unlike the training images (much lighter or darker, or with "
            "a lighter border), so their results are unreliable. They are marked in the column "
            "unlike_training.%s",
            unlike,
            len(results),
            "" if settings.invert else " For dark objects on light, set predict.invert=auto.",
        )


def _write_overlays(results: pd.DataFrame, folder: Path, max_image_mb: float) -> None:
    (folder / OVERLAYS).mkdir(exist_ok=True)
    rows = tqdm(results.to_dict("records"), desc="overlays", unit="image", disable=None)
    for number, row in enumerate(rows, start=1):
        file = Path(row["file"])
        box = Box(*(row[name] for name in Box._fields))
        text = f"{row['label']}  {100 * row['confidence']:.0f} %"
        with atomic_path(folder / OVERLAYS / f"{number:05d}_{_short_stem(file)}.png") as temporary:
            draw_overlay(file, box, text, max_image_mb).save(temporary)


def _check_output_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise LocalizationError(f"predict.output: {folder} is a file; name a folder")
    names = (PREDICTIONS_CSV, PREDICTIONS_JSON, FAILURES_CSV, OVERLAYS)
    present = [name for name in names if (folder / name).exists()]
    if present and not _is_output_folder(folder):
        raise LocalizationError(
            f"predict.output: {folder} contains {', '.join(present)} from another source, which "
            "is not replaced; name another folder"
        )


def _is_output_folder(folder: Path) -> bool:
    try:
        document = json.loads((folder / PREDICTIONS_JSON).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("made_by") == _MADE_BY
