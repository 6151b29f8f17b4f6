"""The packaged project: `kedro package`, installed and run in an empty folder."""

import json
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution

import pytest

from support.project import KEDRO, ROOT, clean_environment

PACKAGE = "mnist_localization"
FETCH = ["--env=test", "--pipelines=fetch"]


def run(arguments, folder, **variables):
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env=clean_environment(folder) | {"DO_NOT_TRACK": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def write_wheel(name, folder):
    """Write the wheel of an installed package, so that the build needs no network."""
    package = distribution(name)
    files = [file for file in package.files if ".." not in file.parts and file.suffix != ".pyc"]
    with zipfile.ZipFile(folder / f"{name}-{package.version}-py3-none-any.whl", "w") as wheel:
        for file in files:
            wheel.write(file.locate(), str(file))


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """Folder `dist` that `kedro package` writes in a copy of the project."""
    project = tmp_path_factory.mktemp("package") / "project"
    shutil.copytree(ROOT / "src", project / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    shutil.copytree(ROOT / "conf", project / "conf")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".telemetry"):
        shutil.copyfile(ROOT / name, project / name)
    wheels = tmp_path_factory.mktemp("wheels")
    write_wheel("setuptools", wheels)
    run([KEDRO, "package"], project, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))
    return project / "dist"


@pytest.fixture(scope="module")
def installed(packaged, tmp_path_factory):
    """Environment variables of a process that imports the installed wheel."""
    target = tmp_path_factory.mktemp("installed")
    (wheel,) = packaged.glob("*.whl")
    options = ["--no-deps", "--no-index", "--target", target]
    run([sys.executable, "-m", "pip", "install", *options, wheel], target)
    return {"PYTHONPATH": str(target)}


def conf_source(packaged):
    return f"--conf-source={packaged / f'conf-{PACKAGE}.tar.gz'}"


def test_the_wheel_contains_all_files_of_the_package(packaged):
    (path,) = packaged.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        found = {name for name in wheel.namelist() if name.startswith(f"{PACKAGE}/")}
    expected = {
        file.relative_to(ROOT / "src").as_posix()
        for file in (ROOT / "src" / PACKAGE).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert found == expected


def test_the_module_runs_in_an_empty_folder(packaged, installed, tmp_path):
    log = run([sys.executable, "-m", PACKAGE, conf_source(packaged), *FETCH], tmp_path, **installed)
    assert "Traceback" not in log
    assert {path.name for path in tmp_path.iterdir()} <= {"data", ".config", ".cache"}
    raw = tmp_path / "data/test/01_raw"
    card = json.loads((raw / "dataset_card.json").read_text("utf-8"))
    assert (card["source"], card["train_images"]) == ("synthetic", 256)
    images = raw / card["folder"] / card["splits"]["train"]["images"]
    assert len(list(images.iterdir())) == 256


def test_main_takes_arguments_and_returns(packaged, installed, tmp_path):
    script = (
        f"import {PACKAGE}\n"
        f"from {PACKAGE}.__main__ import main\n"
        f"assert {PACKAGE}.__file__.startswith({installed['PYTHONPATH']!r})\n"
        f"result = main({[conf_source(packaged), *FETCH]!r}, standalone_mode=False)\n"
        "assert isinstance(result, dict)\n"
        "print('returned')\n"
    )
    log = run([sys.executable, "-c", script], tmp_path, **installed)
    assert log.endswith("returned\n")
    assert (tmp_path / "data/test/01_raw/dataset_card.json").is_file()


def test_main_exits_with_the_status_of_the_command(packaged, installed, tmp_path):
    script = (
        f"from {PACKAGE}.__main__ import main\n"
        f"main({[conf_source(packaged), *FETCH, '--params', 'fetch.sorce=x']!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=clean_environment(tmp_path) | installed | {"DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert "sorce" in done.stderr
    assert "Traceback" not in done.stderr
