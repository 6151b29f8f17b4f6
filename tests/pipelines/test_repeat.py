import os
from pathlib import Path

import pytest

from mnist_localization.config.results import RepeatSettings
from mnist_localization.datasets.session import Session
from mnist_localization.pipelines.repeat.nodes import plan

PARAMETERS = {
    "seed": 7,
    "train": {"architecture": "glimpse", "epochs": 2},
    "fetch": {"source": "synthetic", "synthetic": {"seed": 28}},
    "split": {"fold": ""},
    "wandb": {"mode": "auto"},
}


def planned(parameters=PARAMETERS, runtime_params=None, **changes):
    settings = {"seeds": (), "architectures": (), "dataset_seeds": (), "folds": 0, "keep": False}
    session = Session(data="s3://bucket/x", raw="raw", runtime_params=runtime_params or {})
    return plan(RepeatSettings(**settings | changes), parameters, session, Path("local"))


def test_all_combinations_are_planned_in_order():
    found = planned(seeds="1 2", architectures="report2020 glimpse", folds=2)
    assert len({each.place for each in found}) == len(found) == 8
    assert found[0].name == "architecture-report2020_fold-1-of-2_seed-1"
    assert [each.facts["seed"] for each in found[:4]] == [1, 2, 1, 2]
    assert [each.facts["fold"] for each in found[:4]] == ["1/2", "1/2", "2/2", "2/2"]


def test_an_empty_list_takes_the_configured_value():
    (only,) = planned()
    assert only.facts == {"architecture": "glimpse", "dataset_seed": 28, "fold": "", "seed": 7}
    assert only.params["seed"] == 7


def test_run_time_parameters_are_passed_on():
    given = {"data": "other", "train": {"epochs": 3}, "note": "a, b"}
    (only,) = planned(runtime_params=given, seeds=(4,))
    assert only.params["train"] == {"epochs": 3, "architecture": "glimpse"}
    assert only.params["note"] == "a, b"
    assert only.params["data"] == only.place
    assert only.place.startswith("s3://bucket/x/09_repetitions/glimpse-seed-4-")
    assert only.params["raw"] == "raw"
    assert only.params["wandb"] == {"mode": "disabled"}


def test_a_folder_depends_on_what_determines_the_scores_and_on_nothing_else():
    (one,) = planned(seeds=(4,))
    assert planned(seeds=(3, 4))[1].place == one.place
    assert planned({**PARAMETERS, "wandb": {"mode": "online"}}, seeds=(4,))[0].place == one.place
    longer = {**PARAMETERS, "train": {"architecture": "glimpse", "epochs": 9}}
    assert planned(longer, seeds=(4,))[0].place != one.place


def test_a_changed_file_of_the_user_makes_a_new_folder(tmp_path):
    fetch = PARAMETERS["fetch"] | {"source": "folder", "folder": {"path": str(tmp_path)}}
    parameters = PARAMETERS | {"fetch": fetch}
    table = tmp_path / "annotations.csv"
    table.write_text("a.png,0")
    first = planned(parameters)[0].place
    assert planned(parameters)[0].place == first
    table.write_text("a.png,1")
    os.utime(table, (1, 1))
    second = planned(parameters)[0].place
    (tmp_path / "a.png").write_bytes(b"")
    assert len({first, second, planned(parameters)[0].place}) == 3


@pytest.mark.parametrize(
    "changes", [{"folds": 1}, {"seeds": "a"}, {"architectures": "resnet"}, {"folds": -1}]
)
def test_wrong_settings_are_refused(changes):
    with pytest.raises(ValueError, match="Input should|leaves no training images|resnet|folds"):
        planned(**changes)
