"""Result of the benchmark as Markdown."""

from collections.abc import Mapping
from typing import Any

_GOAL = "seconds of training until mean IoU {goal} (validation split, final boxes)"


def markdown(result: Mapping[str, Any]) -> str:
    """Return a result as Markdown: machine and versions, then one table.

    Args:
        result: Content of `benchmark.json`.
    """
    machine = result["machine"]
    sets = " and ".join(machine["instruction_sets"]) or "neither AVX2 nor AVX-512"
    lines = [
        "# Benchmark",
        "",
        f"{result['date']}, {machine['processor']} ({sets}), {machine['cores']} cores, "
        f"{machine['memory_gb']:.0f} GB, {machine['system']}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        "",
        f"Dataset: {result['dataset']}. Command: `{result['command']}`.",
        "",
        "| measurement | notebook loop | this project | ratio |",
        "| --- | ---: | ---: | ---: |",
        *(_row(row) for row in _rows(result)),
    ]
    return "\n".join(lines) + "\n"


def _rows(result: Mapping[str, Any]) -> list[tuple[str, Any, Any, Any]]:
    notebook, ours, run = result["notebook"], result["ours"], result["run"]
    last = notebook["epochs"][-1]
    count = len(notebook["epochs"])
    epochs = f"{count} epoch" if count == 1 else f"{count} epochs"
    epoch = sum(each["seconds"] for each in notebook["epochs"]) / count
    rows = [
        (
            "training including input pipeline, images/s (median of rounds)",
            f"{notebook['images_per_second']:,.0f}",
            f"{ours['images_per_second']:,.0f}",
            f"{ours['images_per_second'] / notebook['images_per_second']:.1f} x",
        ),
        (
            "share of the speed of the same training step fed from memory",
            None,
            f"{ours['images_per_second'] / ours['from_memory']:.1%}",
            None,
        ),
        (
            f"label accuracy, test split (notebook: {epochs})",
            f"{last['label_accuracy']:.2%}",
            f"{result['scores']['label_accuracy']:.2%}",
            None,
        ),
        (
            "mean IoU, test split (notebook: the same epochs)",
            f"{last['mean_iou']:.4f}",
            f"{result['scores']['mean_iou']:.4f}",
            None,
        ),
        (
            "boxes exact to the pixel, test split",
            None,
            f"{result['scores']['exact_box']:.2%}",
            None,
        ),
    ]
    for goal, seconds in ours["training"]["seconds_until_mean_iou"].items():
        rows.append((_GOAL.format(goal=goal), None, _seconds(seconds), None))
    rows += [
        (
            "seconds: one epoch of the notebook; `kedro run` from archives to report",
            f"{epoch:.0f}",
            f"{run['seconds']:.0f}",
            f"{run['seconds'] / epoch:.2f} epochs",
        ),
        *(
            (f"stage `{name}`, seconds", None, f"{s:.1f}", None)
            for name, s in run["stages"].items()
        ),
        ("peak resident memory of the main process of that run, MiB", None, _memory(run), None),
        ("model parameters", None, f"{ours['latency']['parameters']:,}", None),
        ("saved model, MB", None, f"{ours['latency']['megabytes']:.2f}", None),
        (
            "latency of one image in memory, ms",
            None,
            f"{ours['latency']['one_image_ms']:.1f}",
            None,
        ),
        (
            "latency of one image file with `Localizer.predict`, ms",
            None,
            f"{ours['latency']['one_file_ms']:.1f}",
            None,
        ),
        (
            "latency of a batch of 128 images, ms",
            None,
            f"{ours['latency']['batch_of_128_ms']:.1f}",
            None,
        ),
    ]
    return rows


def _memory(run: Mapping[str, Any]) -> str:
    return "not measured" if run["peak_mb"] is None else f"{run['peak_mb']:,.0f}"


def _seconds(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.1f}"


def _row(cells: tuple[str, Any, Any, Any]) -> str:
    return "| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |"
