import logging
import subprocess
import sys

import pytest

from mnist_localization.models.provenance import ImageFacts, Provenance

FACTS = Provenance(
    architecture="glimpse",
    settings={"epochs": 3, "of_architecture": {"units": [1, 2]}},
    seed=0,
    train_fingerprint="a" * 64,
    class_names=("small", "large"),
    images=ImageFacts(background=7, brightness=(0.0, 9.5)),
)


def test_the_stored_facts_are_those_that_were_given() -> None:
    assert Provenance.from_json(FACTS.to_json()) == FACTS
    assert Provenance().to_json() == {}
    assert FACTS.to_json()["images"] == {"background": 7, "brightness": [0.0, 9.5]}


@pytest.mark.parametrize("stored", [{"seed": "many"}, {"images": {"border": [1]}}])
def test_invalid_stored_facts_are_unknown_with_a_warning(stored, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        assert Provenance.from_json(stored) == Provenance()
    assert next(iter(stored)) in caplog.text
    assert "unknown" in caplog.text


def test_a_fingerprint_is_known_only_of_the_splits_of_the_training() -> None:
    assert FACTS.fingerprint("train") == "a" * 64
    assert FACTS.fingerprint("validation") is None
    assert FACTS.fingerprint("test") is None


def test_importing_the_facts_does_not_import_keras() -> None:
    script = (
        "import sys, mnist_localization.models.provenance\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
