"""Test of the whole benchmark on a small dataset with a short training."""

import json
import subprocess
import sys

import pytest

from support.project import ROOT, Project, clean_environment

SMALL = """
fetch: {synthetic: {train_images: 400, test_images: 64, test_digit_share: 0.2}}
train: {epochs: 1, batch_size: 32}
wandb: {mode: offline}
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_benchmark_writes_all_measurements_as_json_and_markdown(tmp_path):
    project = Project.make(tmp_path / "project", env="bench")
    (project.path / "conf" / "bench" / "parameters.yml").write_text(SMALL)
    options = ["--rounds", "1", "--batches", "4", "--notebook-epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=project.path,
        env=clean_environment(project.path) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((project.data / "benchmark.json").read_text())
    assert result["dataset"] == "synthetic, 400 + 64 images"
    assert set(result["run"]["stages"]) == {
        *("fetch", "annotate", "split", "train", "evaluate", "publish")
    }
    assert result["run"]["peak_mb"] is None or result["run"]["peak_mb"] > 100
    for speed in (result["notebook"], result["ours"]):
        assert speed["images_per_second"] > 0
    assert result["ours"]["training"]["epochs"] == 1
    assert (project.data / "benchmark.md").read_text() in done.stdout
