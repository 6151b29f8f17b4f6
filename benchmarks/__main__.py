"""`python -m benchmarks`: measure, print, and keep as JSON and Markdown."""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.configuration import Configuration
from benchmarks.processes import measured, whole_run
from benchmarks.table import markdown
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.errors import LocalizationError
from mnist_localization.runtime import shared_cores

_PACKAGES = ("tensorflow", "keras", "kedro", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where something failed.

    Args:
        arguments: Those of the command line, without the program's name.
    """
    options = _parser().parse_args(arguments)
    project = Path.cwd()
    if not (project / "conf" / "bench").is_dir():
        print("error: run this in the project's folder", file=sys.stderr)
        return 1
    try:
        result = _result(project, options)
    except LocalizationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    (folder / "benchmark.md").write_text(markdown(result), "utf-8")
    print(markdown(result))
    print(f"Kept as {folder / 'benchmark.md'} and benchmark.json.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Times the notebook's loop and this project, in turn, each in its own process.",
    )
    parser.add_argument(
        "--base-url",
        default="",
        help="folder or URL of the four files; without it the synthetic source is timed",
    )
    parser.add_argument("--output", default="data/bench", help="folder of the result")
    parser.add_argument("--rounds", type=int, default=3, help="turns of the two loops")
    parser.add_argument("--batches", type=int, default=200, help="batches timed in a turn")
    parser.add_argument("--notebook-epochs", type=int, default=2, help="of the notebook's loop")
    return parser


def _result(project: Path, options: argparse.Namespace) -> dict[str, Any]:
    source = (
        {"fetch.base_url": options.base_url} if options.base_url else {"fetch.source": "synthetic"}
    )
    configuration = Configuration(project)
    shutil.rmtree(configuration.data, ignore_errors=True)
    _say("whole `kedro run` from archives to report")
    run = whole_run(project, source)
    # The notebook ran with what TensorFlow sets by itself, and `kedro run` sets this.
    ours = shared_cores()
    notebook_speeds, our_speeds = [], []
    for number in range(1, options.rounds + 1):
        _say(f"training speed, round {number} of {options.rounds}")
        # The notebook's batches are a quarter of ours: as many images, about as long.
        notebook_speeds.append(measured(project, "notebook_speed", 4 * options.batches))
        our_speeds.append(measured(project, "our_speed", options.batches, environment=ours))
    _say(f"{options.notebook_epochs} epochs of the notebook's loop")
    epochs = measured(project, "notebook_epochs", options.notebook_epochs)["epochs"]
    _say("training of this project until its boxes are found")
    training = measured(project, "our_training", environment=ours)
    _say("latency of the model")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": _command(options),
        "dataset": _dataset(configuration),
        "machine": _machine(),
        "run": run,
        "scores": _scores(configuration),
        "notebook": {"images_per_second": _median(notebook_speeds), "epochs": epochs},
        "ours": {
            "images_per_second": _median(our_speeds),
            "from_memory": _median(our_speeds, "from_memory"),
            "training": training,
            "latency": measured(project, "latency", 100),
        },
        "rounds": {"notebook": notebook_speeds, "ours": our_speeds},
    }


def _median(rounds: Sequence[dict[str, float]], name: str = "images_per_second") -> float:
    return statistics.median(each[name] for each in rounds)


def _command(options: argparse.Namespace) -> str:
    """The command that measures the same again; the address is the reader's own."""
    words = ["make bench"]
    if options.base_url:
        words.append("BASE_URL=<folder or URL of the four files>")
    numbers = {name: getattr(options, name) for name in ("rounds", "batches", "notebook_epochs")}
    defaults = _parser().parse_args([])
    changed = [
        f"--{name.replace('_', '-')} {number}"
        for name, number in numbers.items()
        if number != getattr(defaults, name)
    ]
    return " ".join([*words, *([f'ARGS="{" ".join(changed)}"'] if changed else [])])


def _scores(configuration: Configuration) -> dict[str, float]:
    """What the whole run scored on the test split."""
    path = configuration.data / "08_reporting" / "metrics.json"
    metrics = json.loads(path.read_text("utf-8"))
    return {name: metrics[name] for name in ("label_accuracy", "mean_iou", "exact_box")}


def _dataset(configuration: Configuration) -> str:
    path = configuration.data / "01_raw" / "dataset_card.json"
    card = DatasetCard.model_validate_json(path.read_text("utf-8"))
    return f"{card.source}, {card.train_images:,} + {card.test_images:,} images"


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": _processor(),
        "cores": _cores(),
        "memory_gb": memory,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _say(text: str) -> None:
    print(f"--- {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
