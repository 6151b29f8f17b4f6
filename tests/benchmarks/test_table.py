import copy
from typing import Any

import pytest

from benchmarks.__main__ import _command, _parser, instruction_sets
from benchmarks.processes import run_work
from benchmarks.table import markdown
from mnist_localization.errors import LocalizationError
from support.project import ROOT

RESULT: dict[str, Any] = {
    "date": "2026-01-02",
    "command": "make bench BASE_URL=<mirror>",
    "dataset": "base_url, 60 + 10 images",
    "machine": {
        "processor": "a processor",
        "instruction_sets": ["AVX2", "AVX-512"],
        "cores": 2,
        "memory_gb": 16.2,
        "system": "Linux x86_64, Python 3.11.7",
        "versions": {"keras": "3.15.1"},
    },
    "scores": {"label_accuracy": 0.9951, "mean_iou": 0.9996, "exact_box": 0.997},
    "run": {"seconds": 300.0, "stages": {"fetch": 8.0, "train": 250.0}, "peak_mb": None},
    "notebook": {
        "images_per_second": 400.0,
        "epochs": [
            {"seconds": 100.0, "label_accuracy": 0.97, "mean_iou": 0.39},
            {"seconds": 140.0, "label_accuracy": 0.98, "mean_iou": 0.42},
        ],
    },
    "ours": {
        "images_per_second": 1600.0,
        "from_memory": 1700.0,
        "training": {
            "seconds_until_mean_iou": {"0.9": 30.0, "0.99": None},
            "seconds": 250.0,
            "last_mean_iou": 0.985,
        },
        "latency": {
            "parameters": 200_000,
            "megabytes": 1.5,
            "one_image_ms": 4.0,
            "one_file_ms": 4.5,
            "batch_of_128_ms": 25.0,
        },
    },
}


def row(text, start):
    found = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    assert len(found) == 1, start
    return [cell.strip() for cell in found[0].strip("|").split("|")[1:]]


def test_speeds_are_shown_with_their_ratio():
    text = markdown(RESULT)
    assert row(text, "training including input pipeline") == ["400", "1,600", "4.0 x"]
    assert row(text, "share of the speed")[1] == "94.1%"
    assert row(text, "seconds: one epoch of the notebook") == ["120", "300", "2.50 epochs"]
    assert row(text, "stage `train`")[1] == "250.0"
    assert row(text, "label accuracy")[:2] == ["98.00%", "99.51%"]
    assert row(text, "mean IoU, test split")[:2] == ["0.4200", "0.9996"]
    assert row(text, "latency of one image file")[1] == "4.5"


def test_the_command_repeats_the_options_with_a_placeholder_for_the_address():
    options = _parser().parse_args(["--base-url", "/a/secret/place", "--batches", "50"])
    expected = 'make bench BASE_URL=<folder or URL of the four files> ARGS="--batches 50"'
    assert _command(options) == expected
    assert _command(_parser().parse_args([])) == "make bench"


def testinstruction_sets_are_read_from_the_flags_of_the_processor():
    assert instruction_sets("fpu sse4_2 avx2 avx512f avx512bw") == ["AVX2", "AVX-512"]
    assert instruction_sets("fpu avx") == []
    older = copy.deepcopy(RESULT)
    older["machine"]["instruction_sets"] = []
    assert "(neither AVX2 nor AVX-512)" in markdown(older)


def test_missing_values_are_stated():
    text = markdown(RESULT)
    assert row(text, "seconds of training until mean IoU 0.9 ")[1] == "30.0"
    assert row(text, "seconds of training until mean IoU 0.99 ")[1] == "not reached"
    assert row(text, "peak resident memory")[1] == "not measured"


def test_the_heading_has_machine_date_and_command():
    head = markdown(RESULT).split("| measurement |")[0]
    for text in (
        "2026-01-02",
        "a processor (AVX2 and AVX-512), 2 cores, 16 GB",
        "keras 3.15.1",
        "make bench",
    ):
        assert text in head


def test_a_failed_measurement_is_an_error_with_its_name(capfd):
    with pytest.raises(LocalizationError, match="latency failed"):
        run_work(ROOT / "tests", "latency", 1)
    assert "Traceback" in capfd.readouterr().err
