import uuid

import keras
import numpy as np
import pandas as pd
import pytest

from mnist_localization import Localizer
from mnist_localization.errors import ModelError
from mnist_localization.folder import Folder
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.provenance import Provenance, model_fingerprint, run_name
from mnist_localization.models.runs import NewRun, RunFacts, Runs
from mnist_localization.models.saving import provenance, run_of
from support.small_models import REPORT
from support.small_stores import SIDE

IMAGES = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 1), np.uint8)


def localizer(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    spec = ModelSpec(SIDE, SIDE, 1, 2, True, Provenance(architecture="report2020", seed=seed))
    return build_network("report2020", REPORT, spec).localizer


@pytest.fixture(scope="module")
def models():
    return [localizer(seed) for seed in range(3)]


def new_run(model, minute=0):
    facts = RunFacts(
        run=run_of(model),
        trained_at=f"2026-01-01T00:{minute:02}:00+00:00",
        epochs=2,
        model_fingerprint=model_fingerprint(model),
        training=provenance(model),
    )
    return NewRun(facts, model, pd.DataFrame({"epoch": [1, 2], "loss": [minute, 0.5]}))


@pytest.fixture(params=["local", "stored"])
def folder(request, tmp_path):
    url = f"memory://{uuid.uuid4().hex}/runs"
    return Folder.at(url if request.param == "stored" else str(tmp_path / "runs"), tmp_path / "c")


@pytest.fixture
def runs(folder, tmp_path, models):
    kept = Runs(folder, tmp_path, lambda: models[-1])
    for minute, model in enumerate(models):
        kept.keep(new_run(model, minute))
    return kept


def names_of(models):
    return [run_of(model) for model in models]


def test_a_name_depends_on_the_training_and_the_weights(models):
    first, second, _ = names_of(models)
    assert first.startswith("report2020-")
    assert first != second
    facts = provenance(models[0])
    assert run_name(facts, "a") != run_name(facts, "b")
    assert run_name(facts, "a") != run_name(facts.model_copy(update={"seed": 9}), "a")


def test_a_run_has_the_same_name_after_saving(models, tmp_path):
    models[0].save(tmp_path / "x.keras")
    kept = Runs(Folder(tmp_path / "none"), tmp_path, lambda: None)
    assert run_of(kept.load("x.keras")) == run_of(models[0])


def test_kept_runs_are_loaded_by_name_and_predict_the_same(runs, models):
    assert [facts.run for facts in runs.all_facts()] == names_of(models)
    for number, model in enumerate(models):
        loaded = runs.load(run_of(model))
        expected = model.predict_on_batch(IMAGES)
        for head, values in loaded.predict_on_batch(IMAGES).items():
            np.testing.assert_array_equal(values, expected[head])
        assert runs.history(run_of(model))["loss"].tolist() == [number, 0.5]


@pytest.mark.parametrize("part", [slice(None), slice(None, -2), slice(-6, None)])
def test_the_first_or_last_characters_of_a_name_are_enough(runs, models, part):
    name = run_of(models[1])
    assert runs.find(name[part]) == name


def test_a_reference_that_matches_no_run_or_several_is_an_error_that_lists_the_runs(runs, models):
    for reference in ("report2020", "x", ""):
        with pytest.raises(ModelError, match=f"must match one; kept are: .*{run_of(models[0])}"):
            runs.find(reference)


def test_latest_and_best_are_names(runs, models):
    first, second, last = names_of(models)
    assert runs.find("latest") == last
    with pytest.raises(ModelError, match="no best run; promote a run with `kedro runs promote"):
        runs.load("best")
    assert runs.promote(first) == first
    assert runs.find("best") == first
    assert runs.promote(second[-8:]) == second
    assert runs.facts("best").run == second


def test_to_promote_a_run_twice_changes_nothing(runs, models):
    runs.promote(run_of(models[0]))
    runs.promote(run_of(models[1]))
    before = runs.promotion()
    runs.promote(run_of(models[1]))
    assert runs.promotion() == before


def test_a_rollback_returns_to_the_best_run_before_that_still_exists(runs, models):
    first, second, last = names_of(models)
    for name in (first, second, last):
        runs.promote(name)
    runs.remove(second)
    assert runs.roll_back() == first
    with pytest.raises(ModelError, match="no kept run was the best before"):
        runs.roll_back()
    assert runs.find("best") == first


def test_the_latest_and_the_best_run_cannot_be_removed(runs, models):
    runs.promote(run_of(models[0]))
    for name in ("latest", "best"):
        with pytest.raises(ModelError, match="never removed"):
            runs.remove(runs.find(name))
    runs.remove(run_of(models[1]))
    assert runs.names() == sorted([run_of(models[0]), run_of(models[2])])


def test_an_equal_training_is_kept_once_and_becomes_the_latest(runs, models):
    before = runs.facts(run_of(models[0]))
    runs.keep(new_run(models[0], 30))
    assert len(runs.names()) == 3
    assert runs.facts(run_of(models[0])) == before
    assert runs.latest() == run_of(models[0])


def test_a_killed_save_leaves_the_other_runs_and_is_repeated(runs, models, monkeypatch):
    extra = new_run(localizer(7))

    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pd.DataFrame, "to_parquet", stop)
        patched.setattr("mnist_localization.files.remove", lambda _path: None)  # as after a kill
        with pytest.raises(KeyboardInterrupt):
            runs.keep(extra)
    assert runs.names() == sorted(names_of(models))
    assert runs.latest() == run_of(models[-1])
    runs.keep(extra)
    assert runs.latest() == extra.facts.run
    assert len(runs.all_facts()) == 4


def test_a_damaged_run_is_named_and_hides_no_other(models, caplog, tmp_path):
    runs = Runs(Folder(tmp_path), tmp_path, lambda: None)
    for minute, model in enumerate(models):
        runs.keep(new_run(model, minute))
    (tmp_path / run_of(models[0]) / "run.json").write_text("{")
    assert [facts.run for facts in runs.all_facts()] == names_of(models)[1:]
    assert "run.json: missing or damaged" in caplog.text


def test_a_path_is_relative_to_the_project(runs, models, tmp_path):
    models[0].save(tmp_path / "other.keras")
    for reference in ("other.keras", "./other.keras", str(tmp_path / "other.keras")):
        assert run_of(runs.load(reference)) == run_of(models[0])
        assert runs.history(reference).empty
    with pytest.raises(ModelError, match=r"none\.keras: the model file does not exist"):
        runs.load("none.keras")


def test_a_model_is_loaded_from_an_object_store(runs, models, tmp_path):
    import fsspec

    models[0].save(tmp_path / "other.keras")
    url = f"memory://{uuid.uuid4().hex}/other.keras"
    fsspec.filesystem("memory").put_file(str(tmp_path / "other.keras"), url)
    assert run_of(runs.load(url)) == run_of(models[0])


def test_a_localizer_is_loaded_by_name(models, tmp_path, monkeypatch):
    data = tmp_path / "data"
    kept = Runs(Folder(data / "06_models" / "runs"), tmp_path, lambda: None)
    for minute, model in enumerate(models):
        kept.keep(new_run(model, minute))
    models[-1].save(data / "06_models" / "localizer.keras")
    kept.promote(run_of(models[0]))
    monkeypatch.chdir(tmp_path)
    for reference, model in {"latest": models[-1], "best": models[0]}.items():
        expected = Localizer.from_model(model).predict(IMAGES)
        assert Localizer.load(reference).predict(IMAGES) == expected
    other = tmp_path / "elsewhere"
    data.rename(other)
    name = run_of(models[1])
    found = Localizer.load(name, data=other).predict(IMAGES)
    assert found == Localizer.from_model(models[1]).predict(IMAGES)
    with pytest.raises(ModelError, match="matches 0 runs"):
        Localizer.load("nothing", data=other)
