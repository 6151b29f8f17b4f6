"""Command `python -m benchmarks.scale`: time and memory for growing numbers of images.

The images are generated. For each number, the stages run as `kedro run`, and the marginal time per
image between two numbers is compared with the average time of the smaller one.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

_FIRST_STAGES = "fetch,annotate"
_STAGES = ("split", "train", "evaluate")
_TIMES = re.compile(r"--- Seconds: (.*)")
_PER_FOLDER = 10_000
_POLL_S = 0.2


class Result(NamedTuple):
    """Seconds and memory of each stage, for one number of images."""

    images: int
    seconds: dict[str, float]
    memory_gib: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table."""
    options = _parser().parse_args(arguments)
    folder = Path(options.folder).resolve()
    results = []
    for images in options.images:
        shutil.rmtree(folder, ignore_errors=True)
        write_images(folder / "source", images, options.side, options.channels)
        results.append(_measure(folder, images, options.side, options.channels))
        print(table(results), flush=True)
    shutil.rmtree(folder)
    return 0


def write_images(folder: Path, count: int, side: int, channels: int) -> None:
    """Write images with a bright square each, and one CSV with the squares."""
    ranges = [(first, min(first + _PER_FOLDER, count)) for first in range(0, count, _PER_FOLDER)]
    (folder / "images").mkdir(parents=True)
    with ProcessPoolExecutor() as pool, (folder / "boxes.csv").open("w") as file:
        tasks = [pool.submit(_write_part, folder, *each, side, channels) for each in ranges]
        for task in tasks:
            file.writelines(task.result())


def _write_part(folder: Path, first: int, last: int, side: int, channels: int) -> list[str]:
    random, rows = np.random.default_rng(first), []
    part = folder / "images" / f"{first:09d}"
    part.mkdir()
    for number in range(first, last):
        width = side // 4
        left, top = random.integers(0, side - width, 2).tolist()
        pixels = np.zeros((side, side, channels), np.uint8)
        pixels[top : top + width, left : left + width] = 155 + 10 * (number % 10)
        image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        image.save(part / f"{number}.png", compress_level=1)
        box = f"{left},{top},{left + width},{top + width}"
        rows.append(f"{part.name}/{number}.png,{number % 10},{box}\n")
    return rows


def _measure(folder: Path, images: int, side: int, channels: int) -> Result:
    parameters = {
        "data": folder / "data",
        "fetch.source": "folder",
        "fetch.folder.path": folder / "source",
        "fetch.folder.train_images": "images",
        "fetch.folder.train_annotations": "boxes.csv",
        "dataset.annotations.csv_boxes": "xyxy",
        "dataset.image.height": side,
        "dataset.image.width": side,
        "dataset.image.channels": channels,
        "split.test_share": 0.1,
        "train.epochs": 1,
    }
    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}
    # Each stage in a process of its own, as on several machines.
    for stage in (_FIRST_STAGES, *_STAGES):
        log, memory[stage] = _run(stage, parameters)
        found = _TIMES.search(log)
        if found is None:
            raise RuntimeError(log[-2000:])
        pairs = (item.rsplit(" ", 1) for item in found[1].split(", "))
        seconds |= {name: float(value) for name, value in pairs}
    return Result(images, seconds, memory)


def _run(stages: str, parameters: dict[str, object]) -> tuple[str, float]:
    """Return the log of a `kedro run` and its largest memory in GiB."""
    text = ",".join(f"{key}={value}" for key, value in parameters.items())
    command = [sys.executable, "-m", "kedro", "run", f"--pipelines={stages}", "--params", text]
    process = subprocess.Popen(  # noqa: S603
        [*command, "--env=bench"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"WANDB_MODE": "disabled"},
    )
    largest = [0.0]

    def watch() -> None:
        while process.poll() is None:
            largest[0] = max(largest[0], _resident_gib(process.pid))
            time.sleep(_POLL_S)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    log, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise RuntimeError(log[-2000:])
    return log, largest[0]


def _resident_gib(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    except OSError:
        return 0.0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table: seconds and GiB of each stage, and the marginal time per image."""
    lines = [
        "| images | fetch, annotate | split | train, one epoch | evaluate | marginal time |",
        "| ---: | --- | --- | --- | --- | --- |",
    ]
    for number, result in enumerate(results):
        cells = [_cell(result, stages) for stages in (_FIRST_STAGES, *_STAGES)]
        marginal = "; ".join(_marginal(results[number - 1], result)) if number else ""
        row = [f"{result.images:,}", *cells, marginal]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def _cell(result: Result, stages: str) -> str:
    seconds = sum(result.seconds[stage] for stage in stages.split(","))
    return f"{seconds:.1f} s, {result.memory_gib[stages]:.2f} GiB"


def _marginal(first: Result, second: Result) -> Iterator[str]:
    """Yield the marginal time of each stage, compared with the average of the smaller number."""
    for stage in _STAGES:
        average = first.seconds[stage] / first.images
        added = second.seconds[stage] - first.seconds[stage]
        marginal = added / (second.images - first.images)
        yield f"{stage} {1e6 * marginal:.0f} us ({marginal / average - 1:+.0%})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make scale", description=main.__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[600_000, 2_000_000])
    parser.add_argument("--side", type=int, default=100, help="Rows and columns of an image.")
    parser.add_argument("--channels", type=int, choices=(1, 3), default=1)
    parser.add_argument("--folder", default="data/scale", help="Folder that is removed at the end.")
    return parser


if __name__ == "__main__":
    sys.exit(main())
