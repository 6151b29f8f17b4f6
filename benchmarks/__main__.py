"""Command `python -m benchmarks`: run all measurements and write JSON and Markdown."""

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
from benchmarks.processes import run_pipeline, run_work
from benchmarks.table import markdown
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.files import write_text
from mnist_localization.runtime import (
    cpu_fact,
    instruction_sets,
    thread_variables,
    usable_cores,
)

_PACKAGES = ("tensorflow", "keras", "kedro", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit status: 0, or 1 if a measurement failed.

    Args:
        arguments: Arguments of the command line, without the program name.
    """
    options = _parser().parse_args(arguments)
    project = Path.cwd()
    if not (project / "conf" / "bench").is_dir():
        print("error: run this in the root folder of the repository", file=sys.stderr)
        return 1
    try:
        result = _measure(project, options)
    except LocalizationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    folder = Path(options.output)
    write_text(folder / "benchmark.json", json.dumps(result, indent=2) + "\n")
    write_text(folder / "benchmark.md", markdown(result))
    print(markdown(result))
    print(f"Written to {folder / 'benchmark.md'} and benchmark.json.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Compare the training loop of the original notebook with this project. "
        "Each measurement runs in its own process.",
    )
    parser.add_argument(
        "--base-url",
        default="",
        help="folder or URL of the four files of the dataset; default: the synthetic source",
    )
    parser.add_argument("--output", default="data/bench", help="output folder")
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs of the two loops")
    parser.add_argument("--batches", type=int, default=200, help="batches timed per round")
    parser.add_argument(
        "--notebook-epochs", type=int, default=2, help="epochs of the notebook loop"
    )
    return parser


def _measure(project: Path, options: argparse.Namespace) -> dict[str, Any]:
    source = (
        {"fetch.base_url": options.base_url} if options.base_url else {"fetch.source": "synthetic"}
    )
    configuration = Configuration(project)
    shutil.rmtree(configuration.data, ignore_errors=True)
    _print_step("`kedro run` from archives to report")
    run = run_pipeline(project, source)
    # `kedro run` sets these variables; the notebook ran with TensorFlow's defaults.
    ours = thread_variables()
    notebook_speeds, our_speeds = [], []
    for number in range(1, options.rounds + 1):
        _print_step(f"training speed, round {number} of {options.rounds}")
        # The notebook's batches have a quarter of the images.
        notebook_speeds.append(run_work(project, "notebook_speed", 4 * options.batches))
        our_speeds.append(run_work(project, "our_speed", options.batches, environment=ours))
    _print_step(f"{options.notebook_epochs} epochs of the notebook loop")
    epochs = run_work(project, "notebook_epochs", options.notebook_epochs)["epochs"]
    _print_step("training of this project until it reaches the goals of mean IoU")
    training = run_work(project, "our_training", environment=ours)
    _print_step("latency of the model")
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
            "latency": run_work(project, "latency", 100),
        },
        "rounds": {"notebook": notebook_speeds, "ours": our_speeds},
    }


def _median(rounds: Sequence[dict[str, float]], name: str = "images_per_second") -> float:
    return statistics.median(each[name] for each in rounds)


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats the benchmark, with a placeholder for the address."""
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
    """Return the scores of the `kedro run` on the test split."""
    path = configuration.data / "08_reporting" / "metrics.json"
    scores = Metrics.model_validate_json(path.read_text("utf-8")).scores
    return {name: scores[name] for name in ("label_accuracy", "mean_iou", "exact_box")}


def _dataset(configuration: Configuration) -> str:
    path = configuration.data / "01_raw" / "dataset_card.json"
    card = DatasetCard.model_validate_json(path.read_text("utf-8"))
    return f"{card.source}, {card.train_images:,} + {card.test_images:,} images"


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": cpu_fact("model name") or platform.processor() or "unknown processor",
        "instruction_sets": instruction_sets(cpu_fact("flags")),
        "cores": usable_cores(),
        "memory_gb": memory,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _print_step(text: str) -> None:
    print(f"--- {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
