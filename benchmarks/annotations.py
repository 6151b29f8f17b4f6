"""Command `python -m benchmarks.annotations`: time and memory to read many annotation rows.

The images are empty files, which are listed and not opened: for boxes in pixels, the size that the
annotations state stands for that of the image.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import yaml

from mnist_localization.config.data import DatasetSettings
from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.data.images.decode import ImageHeader

_SIDE = 100
_CLASSES = 10
_PER_FOLDER = 10_000
_HEADER = ImageHeader("PNG", "L", _SIDE, _SIDE, 1)
_READ_HEADER = "mnist_localization.data.annotations.box_fitting.read_header"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(prog="make bench-annotations", description=main.__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    print("| format | rows | seconds | memory (GiB) |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_annotations(folder, options.rows)
        for path in (folder / "rows.csv", folder / "coco.json"):
            # A process of its own, because the peak of the memory is that of a process.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows, seconds, memory = pool.apply(measure, (path, folder / "images"))
            print(f"| {path.stem} | {rows:,} | {seconds:.1f} | {memory:.2f} |", flush=True)
    return 0


def write_annotations(folder: Path, count: int) -> None:
    """Write empty images, and a box for each as CSV and as COCO."""
    files = [f"{number // _PER_FOLDER:04d}/{number}.png" for number in range(count)]
    for number, file in enumerate(files):
        path = folder / "images" / file
        if number % _PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    corners = np.random.default_rng(0).integers(0, _SIDE - 28, (count, 2)).tolist()
    with (folder / "rows.csv").open("w") as table:
        for number, (file, (left, top)) in enumerate(zip(files, corners, strict=True)):
            table.write(f"{file},{number % _CLASSES},{left},{top},{left + 28},{top + 28}\n")
    document = {
        "images": [
            {"id": number, "file_name": file, "width": _SIDE, "height": _SIDE}
            for number, file in enumerate(files)
        ],
        "annotations": [
            {"image_id": number, "bbox": [left, top, 28, 28], "category_id": number % _CLASSES}
            for number, (left, top) in enumerate(corners)
        ],
        "categories": [{"id": number, "name": str(number)} for number in range(_CLASSES)],
    }
    (folder / "coco.json").write_text(json.dumps(document), "utf-8")


def measure(path: Path, images: Path) -> tuple[int, float, float]:
    """Return good rows, seconds, and the largest memory of this process in GiB."""
    settings = yaml.safe_load(Path("conf/base/parameters.yml").read_text("utf-8"))["dataset"]
    kind = "csv" if path.suffix == ".csv" else "coco"
    settings["annotations"] |= {"format": kind, "csv_boxes": "xyxy"}
    dataset = DatasetSettings.model_validate(settings)
    started = time.perf_counter()
    with patch(_READ_HEADER, lambda _: _HEADER):
        annotations = read_annotations(path, images, images.parent, dataset)
    seconds = time.perf_counter() - started
    if annotations.bad_rows:
        raise RuntimeError(str(annotations.bad_rows[0]))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return len(annotations.table), seconds, memory


if __name__ == "__main__":
    sys.exit(main())
