import pytest
import yaml

from mnist_localization.config import ExportSettings
from mnist_localization.models.provenance import Provenance
from support.project import ROOT
from support.small_models import trained_localizer
from support.small_stores import make_store


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A small localizer, and the training and test split that it belongs to."""
    folder = tmp_path_factory.mktemp("stores")
    training, test = make_store(folder, 128, 0), make_store(folder, 40, 1, "test")
    provenance = Provenance(train_fingerprint=training.meta.fingerprint)
    return trained_localizer(training, provenance), training, test


@pytest.fixture(scope="session")
def settings():
    """The section `export` of the base configuration, with changes; quick."""
    document = yaml.safe_load((ROOT / "conf/base/parameters_export.yml").read_text("utf-8"))
    quick = {"latency_runs": 3, "representative_images": 32, "batch_size": 16}

    def changed(**changes):
        return ExportSettings.model_validate({**document["export"], **quick, **changes})

    return changed
