"""The benchmark's result as Markdown."""

from collections.abc import Mapping
from typing import Any

_GOAL = "seconds of training until mean IoU {goal} (validation, boxes as the user gets them)"


def markdown(result: Mapping[str, Any]) -> str:
    """Render a result.

    Args:
        result: What `benchmarks` measured.

    Returns:
        Markdown: machine and versions, then one table.
    """
    machine = result["machine"]
    lines = [
        "# Benchmark",
        "",
        f"{result['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gb']:.0f} GB, {machine['system']}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        "",
        f"Dataset: {result['dataset']}. Made by `{result['command']}`.",
        "",
        "| what | notebook's loop | this project | ratio |",
        "| --- | ---: | ---: | ---: |",
        *(_row(row) for row in _rows(result)),
    ]
    return "\n".join(lines) + "\n"


def _rows(result: Mapping[str, Any]) -> list[tuple[str, Any, Any, Any]]:
    notebook, ours, run = result["notebook"], result["ours"], result["run"]
    last = notebook["epochs"][-1]
    epoch = sum(each["seconds"] for each in notebook["epochs"]) / len(notebook["epochs"])
    rows = [
        (
            "training, images/s, input pipeline included (median of rounds)",
            f"{notebook['images_per_second']:,.0f}",
            f"{ours['images_per_second']:,.0f}",
            f"{ours['images_per_second'] / notebook['images_per_second']:.1f} x",
        ),
        (
            "input pipeline's share: images/s over the same step fed from memory",
            None,
            f"{ours['images_per_second'] / ours['from_memory']:.1%}",
            None,
        ),
        (
            f"label accuracy, test split ({len(notebook['epochs'])} epochs of the notebook)",
            f"{last['label_accuracy']:.2%}",
            f"{result['scores']['label_accuracy']:.2%}",
            None,
        ),
        (
            "mean IoU, test split (likewise)",
            f"{last['mean_iou']:.4f}",
            f"{result['scores']['mean_iou']:.4f}",
            None,
        ),
        ("exact to the pixel, test split", None, f"{result['scores']['exact_box']:.2%}", None),
    ]
    for goal, seconds in ours["training"]["seconds_until_mean_iou"].items():
        rows.append((_GOAL.format(goal=goal), None, _seconds(seconds), None))
    rows += [
        (
            "one epoch of the notebook; whole `kedro run` from archives to report, seconds",
            f"{epoch:.0f}",
            f"{run['seconds']:.0f}",
            f"{run['seconds'] / epoch:.2f} epochs",
        ),
        *((f"stage `{name}`, seconds", None, f"{s:.1f}", None) for name, s in _stages(run)),
        ("peak memory of that run, resident, main process, MiB", None, _memory(run), None),
        ("parameters of the model", None, f"{ours['latency']['parameters']:,}", None),
        ("size of the saved model, MB", None, f"{ours['latency']['megabytes']:.2f}", None),
        ("one image, in memory, ms", None, f"{ours['latency']['one_image_ms']:.1f}", None),
        (
            "one image, from its file, by `Localizer.predict`, ms",
            None,
            f"{ours['latency']['one_file_ms']:.1f}",
            None,
        ),
        ("a batch of 128 images, ms", None, f"{ours['latency']['batch_of_128_ms']:.1f}", None),
    ]
    return rows


def _stages(run: Mapping[str, Any]) -> list[tuple[str, float]]:
    return list(run["stages"].items())


def _memory(run: Mapping[str, Any]) -> str:
    return "not measured" if run["peak_mb"] is None else f"{run['peak_mb']:,.0f}"


def _seconds(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.1f}"


def _row(cells: tuple[str, Any, Any, Any]) -> str:
    return "| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |"
