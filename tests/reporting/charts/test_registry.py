"""The registry: what every chart has, and that one file is enough to add a chart."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from markupsafe import Markup

from mnist_localization.registry import module_names
from mnist_localization.reporting.charts import Chart, ChartData, load_charts
from support.project import ROOT
from support.sample_report import sample_report

EXTENSIONS = ROOT / "tests" / "support" / "extensions"
RENDER = "from support.sample_report import sample_report; print(sample_report().render())"


@pytest.fixture(scope="module")
def data() -> ChartData:
    return sample_report().chart_data


def test_charts_are_listed_by_name() -> None:
    assert list(load_charts()) == list(module_names("reporting/charts"))
    assert {"class_scores", "confusion_heatmap", "iou_histogram"} < set(load_charts())


@pytest.mark.parametrize("chart", load_charts().values(), ids=load_charts().keys())
def test_both_renderers_show_the_same_title_and_label_their_axes(
    chart: Chart, data: ChartData
) -> None:
    figure, svg = chart.plotly(data), chart.svg(data)
    assert figure.layout.title.text == chart.title
    assert f">{chart.title}</title>" in svg
    assert figure.layout.title.subtitle.text in svg
    titles = [axis.title.text for axis in (*figure.select_xaxes(), *figure.select_yaxes())]
    assert len(list(filter(None, titles))) >= 2
    for title in filter(None, titles):
        assert Markup.escape(title) in svg
    assert chart.caption.endswith(".")


def test_a_chart_placed_as_one_file_appears_on_the_page(tmp_path: Path) -> None:
    package = tmp_path / "mnist_localization"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "mnist_localization", package, ignore=ignored)
    charts = Path("reporting") / "charts"
    shutil.copy(EXTENSIONS / charts / "confidence_chart.py", package / charts)
    done = subprocess.run(
        [sys.executable, "-c", RENDER],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "<h3>Images by confidence of the label</h3>" in done.stdout
    assert 'aria-labelledby="confidence-title confidence-desc"' in done.stdout
