"""Registries that are folders."""

import subprocess
import sys

import pytest

from mnist_localization import registry


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Registry folder with modules, packages and files that are not names."""
    folder = tmp_path / "things"
    for name in ("package", "_private_package", "no_package", ".hidden"):
        (folder / name).mkdir(parents=True)
    for name in ("package/__init__.py", "_private_package/__init__.py"):
        (folder / name).touch()
    for name in ("b.py", "a.py", "_private.py", "__init__.py", "notes.txt"):
        (folder / name).touch()
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)
    registry.module_names.cache_clear()
    yield folder
    registry.module_names.cache_clear()


def test_names_are_public_modules_and_packages_in_order(folder):
    assert registry.module_names("things") == ("a", "b", "package")


def test_listing_the_names_imports_no_keras():
    script = (
        "import sys\n"
        "from mnist_localization.registry import module_names\n"
        "assert 'glimpse' in module_names('models/architectures')\n"
        "assert not {'keras', 'tensorflow', 'mnist_localization.models'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_modules_are_loaded_by_name():
    names = registry.module_names("data/annotations/formats")
    modules = registry.load_modules("data/annotations/formats")
    assert tuple(modules) == names
    csv = registry.load_module("data/annotations/formats", "csv")
    assert modules["csv"] is csv
    assert csv.__name__ == "mnist_localization.data.annotations.formats.csv"


@pytest.mark.parametrize(
    ("folder", "constant"),
    [
        ("models/architectures", "ARCHITECTURE"),
        ("models/losses", "LOSS"),
        ("data/annotations/formats", "FORMAT"),
        ("evaluation/metrics", "METRICS"),
        ("reporting/charts", "CHART"),
        ("export/formats", "FORMAT"),
    ],
)
def test_each_module_of_a_registry_defines_its_constant(folder, constant):
    for name, module in registry.load_modules(folder).items():
        assert hasattr(module, constant), f"{folder}/{name}.py lacks {constant}"
