"""Image files of a user: found, predicted in batches, the unreadable ones set aside."""

import glob
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from mnist_localization.data.images.decode import printable
from mnist_localization.errors import ImageError
from mnist_localization.inference.localizer import Invert, Localizer, ModelInput

RESULT_COLUMNS = (
    "file",
    "label",
    "class_id",
    "confidence",
    "xmin",
    "ymin",
    "xmax",
    "ymax",
    "width",
    "height",
    "inverted",
    "unlike_training",
)
FAILURE_COLUMNS = ("file", "reason")
_EXAMPLE = "kedro run --pipeline=predict --params predict.images=./photos,predict.output=./found"
_LISTED = 5


def find_images(images: str, project: Path, output: Path) -> list[Path]:
    """The files that a user means.

    Args:
        images: A file, a folder (with those below it) or a glob pattern. A name that exists
            is no pattern.
        project: Where a relative one starts.
        output: Folder of the results: what lies in it is left out.

    Returns:
        Files in the order of their names; hidden ones only where they are named.

    Raises:
        ImageError: Nothing was asked for, or nothing found.
    """
    if not images:
        raise ImageError(f"predict.images is empty; name a file, a folder or a pattern: {_EXAMPLE}")
    pattern = Path(images).expanduser()
    path = project / pattern
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [each for each in path.rglob("*") if not _is_hidden(each, path)]
    else:
        # The project's own path is no part of the pattern: it may hold brackets.
        matches = glob.glob(str(pattern), root_dir=project, recursive=True)  # noqa: PTH207
        found = [project / each for each in matches]
    files = sorted(each for each in _outside(output, found) if each.is_file())
    if not files:
        raise ImageError(
            f"predict.images: {path} is no file, no folder with files and no pattern that fits "
            "any. Relative paths start at the project. On the command line, begin a pattern with "
            './ and quote a path that holds ": " or " #" twice: '
            "--params 'predict.images=\"./a: b.png\"'"
        )
    return files


def predict_files(
    localizer: Localizer, files: Sequence[Path], batch_size: int, invert: Invert
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict image files; memory is bounded by the batch.

    Args:
        localizer: The model.
        files: The files.
        batch_size: Images predicted at once.
        invert: As for `Localizer.predict`.

    Returns:
        Results, columns `RESULT_COLUMNS` with boxes in pixels of each image, and failures,
        columns `FAILURE_COLUMNS`.

    Raises:
        ImageError: No file at all could be read.
    """
    results: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    with tqdm(total=len(files), desc="predict", unit="image", disable=None) as bar:
        for start in range(0, len(files), batch_size):
            batch = files[start : start + batch_size]
            readable: dict[str, ModelInput] = {}
            for file in batch:
                shown = printable(file)
                try:
                    readable[shown] = _model_input(localizer, file, invert)
                except ImageError as error:
                    failures.append((shown, str(error).removeprefix(f"{shown}: ")))
            found = localizer.predict_inputs(list(readable.values()))
            results += [
                {"file": file, **asdict(each), **each.box._asdict()}
                for file, each in zip(readable, found, strict=True)
            ]
            bar.update(len(batch))
    if not results:
        listed = "".join(f"\n  {file}: {reason}" for file, reason in failures[:_LISTED])
        raise ImageError(f"none of the {len(files)} files of predict.images can be read:{listed}")
    return (
        pd.DataFrame(results)[list(RESULT_COLUMNS)],
        pd.DataFrame(failures, columns=list(FAILURE_COLUMNS)),
    )


def _model_input(localizer: Localizer, file: Path, invert: Invert) -> ModelInput:
    if printable(file) != str(file):
        raise ImageError("its name is not UTF-8, so no result can name it; rename the file")
    return localizer.model_input(file, invert)


def _outside(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Files that do not lie in a folder, whatever `..` and links lead there."""
    folder = folder.resolve()
    parents = {file.parent for file in files}
    inside = {parent for parent in parents if parent.resolve().is_relative_to(folder)}
    return [file for file in files if file.parent not in inside]


def _is_hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)
