"""Index of the runs of one training."""

from pathlib import Path

import pytest

from mnist_localization.tracking.run_index import Link, RunEntry, RunIndex


def entry(name: str, losses: dict[int, float] | None = None, **changes: object) -> RunEntry:
    fields = {"id": name, "job_type": "train", "folder": name, "losses": losses or {}, **changes}
    return RunEntry.model_validate(fields)


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    index = RunIndex(group="g", runs=[entry("a", {1: 0.5}, state="finished", inputs={"d": True})])
    index.save(tmp_path / "index" / "runs.json")
    assert RunIndex.read(tmp_path / "index" / "runs.json") == index
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["runs.json"]


def test_a_loss_may_be_nan(tmp_path: Path) -> None:
    RunIndex(group="g", runs=[entry("a", {1: float("nan")})]).save(tmp_path / "runs.json")
    index = RunIndex.read(tmp_path / "runs.json")
    assert index is not None
    assert index.matches({1: float("nan")})


def test_the_index_of_a_new_training_keeps_the_last_link() -> None:
    link = Link(run="glimpse-1a2b3c4d", artifact="p/localizer:a", target="registry/digits")
    before = RunIndex(group="g", link=link, runs=[entry("a", uploaded=True)])
    assert RunIndex.create(before=before).link == link
    assert RunIndex.create().link is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"group": 1}', '{"group": "g", "runs": [{}]}'])
def test_an_index_that_cannot_be_read_is_logged_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    (tmp_path / "runs.json").write_text(text)
    assert RunIndex.read(tmp_path / "runs.json") is None
    assert "cannot be read" in caplog.text


def test_a_shorter_training_with_the_same_start_is_another_training() -> None:
    logged = RunIndex(group="g", runs=[entry("a", {1: 1.0, 2: 0.5})])
    assert logged.matches({1: 1.0, 2: 0.5, 3: 0.4})
    assert not logged.matches({1: 1.0})
    assert not RunIndex(group="g", runs=[entry("a", {1: float("nan")})]).matches({1: 1.0})


def test_uploaded_runs_are_kept_without_their_folder() -> None:
    runs = [entry("a", uploaded=True), entry("b")]
    kept = RunIndex(group="g", runs=runs[:1], published="hash")
    kept.forget_missing(lambda _: False)
    assert kept == RunIndex(group="g", runs=runs[:1], published="hash")
    lost = RunIndex(group="g", runs=runs, published="hash")
    lost.forget_missing(lambda _: False)
    assert lost == RunIndex(group="g", runs=runs[:1]), "it is published again"
