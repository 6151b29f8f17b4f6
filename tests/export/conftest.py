from types import SimpleNamespace

import pytest

from mnist_localization.export import export_localizer
from mnist_localization.models.provenance import Provenance
from mnist_localization.registry import module_names
from support.kept_runs import runs_with
from support.settings import section
from support.small_models import trained_localizer
from support.small_stores import make_store


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Return a small localizer, and the training and test split that it belongs to."""
    folder = tmp_path_factory.mktemp("stores")
    training, test = make_store(folder, 128, 0), make_store(folder, 40, 1, "test")
    provenance = Provenance(train_fingerprint=training.meta.fingerprint, train_images=54321, seed=7)
    splits = [SimpleNamespace(store=store) for store in (training, test)]
    return trained_localizer(training, provenance), *splits


@pytest.fixture(scope="session")
def settings():
    """Return a function that makes quick settings of the section `export`, with changes."""
    quick = {"latency_runs": 3, "representative_images": 32, "batch_size": 16}

    def changed(**changes):
        return section("export", **quick | changes)

    return changed


@pytest.fixture(scope="session")
def export(trained):
    """Return a function that exports a localizer into a folder and returns the report."""
    _, train, test = trained

    def exported(options, folder, localizer=trained[0]):
        return export_localizer(
            options, section("evaluate"), 1, runs_with(localizer), train, test, folder
        )

    return exported


@pytest.fixture(scope="session")
def exported(export, settings, tmp_path_factory):
    """Return the folder and the report of an export of the small localizer to all formats."""
    folder = tmp_path_factory.mktemp("exported")
    return folder, export(settings(formats=module_names("export/formats")), folder)
