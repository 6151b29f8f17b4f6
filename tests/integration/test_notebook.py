"""The notebook: committed without outputs, and running from top to bottom."""

import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from support.project import ROOT, Project, clean_environment

NOTEBOOK = ROOT / "notebooks" / "object_localization.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Run the notebook in a copy of the project, on the small dataset of the tests."""
    project = Project.make(tmp_path_factory.mktemp("notebook") / "project")
    folder = project.path / "notebooks"
    folder.mkdir()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**clean_environment(project.path), "KEDRO_ENV": project.env})
    return notebook


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_the_notebook_is_valid_and_has_no_outputs(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_texts_are_short_and_the_contents_link_to_the_chapters(notebook):
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert len(texts) > 12
    assert max(len(text.split()) for text in texts) < 170
    headings = re.findall(r"^## (.+)$", "\n".join(texts), re.MULTILINE)
    links = re.findall(r"\]\(#([^)]+)\)", texts[0])
    assert [heading.replace(" ", "-") for heading in headings[: len(links)]] == links


def test_the_notebook_runs_and_shows_figures_and_tables(executed):
    shown = [kind for output in outputs(executed) for kind in output.get("data", {})]
    assert shown.count("image/png") == 9
    assert shown.count("application/vnd.plotly.v1+json") == 2
    assert shown.count("text/html") >= 3  # tables
    said = "".join(output.text for output in outputs(executed) if output.output_type == "stream")
    assert re.search(r"to whole pixels +mean IoU 1\.0000", said)
    assert "Training report2020" in said
    assert "Training glimpse" in said


def test_no_output_contains_a_warning(executed):
    for output in outputs(executed):
        for line in output.get("text", "").splitlines():
            assert "Warning" not in line, line
            assert "Traceback" not in line, line
            assert " WARNING " not in line, line
        if "ename" in output:
            raise AssertionError(output.evalue)


def test_without_a_project_the_first_cell_asks_for_the_repository(notebook, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", notebook.cells[0].source],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "set REPOSITORY to its address" in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_a_project_the_first_cell_clones_and_installs_it(notebook, tmp_path):
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "pyproject.toml").write_text('[tool.kedro]\npackage_name = "mnist_localization"\n')
    for command in (
        ["git", "init", "--quiet"],
        ["git", "add", "."],
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "One"],
    ):
        subprocess.run(command, cwd=origin, check=True, timeout=60)
    (tmp_path / "hosted").mkdir()
    asked = notebook.cells[0].source.replace('REPOSITORY = ""', f'REPOSITORY = "{origin.as_uri()}"')
    # Print the pip command instead of running it.
    script = asked.replace("sys.executable, ", "'echo', ") + "\nprint(project, sys.path[0])\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path / "hosted",
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    clone = tmp_path / "hosted" / "mnist-localization"
    assert f"-m pip install --quiet --editable {clone}" in done.stdout
    assert done.stdout.splitlines()[-1] == f"{clone} {clone / 'src'}"
