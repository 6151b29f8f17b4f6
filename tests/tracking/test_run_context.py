"""Mode, names and command of a run."""

from typing import Any

import pytest

from mnist_localization.tracking.run_context import RunContext, job_type_of
from support.dataset_cards import make_card
from support.small_publications import settings


@pytest.mark.parametrize(
    ("parameter", "variable", "mode"),
    [
        ("auto", "", "auto"),
        ("auto", "offline", "offline"),
        ("auto", "disabled", "disabled"),
        ("auto", "nonsense", "auto"),
        ("offline", "online", "offline"),
        ("online", "disabled", "online"),
    ],
)
def test_the_parameter_takes_precedence_unless_it_is_auto(
    monkeypatch: pytest.MonkeyPatch, parameter: str, variable: str, mode: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", variable)
    assert RunContext(settings=settings(mode=parameter)).mode == mode


def names(**parameters: Any) -> list[Any]:
    empty = {"project": "", "entity": "", "group": "", "name": "", "tags": []}
    context = RunContext(settings=settings(**(empty | parameters)), job_type="train")
    return [context.project, context.entity, context.group, context.name("g1"), context.tags]


def test_names_come_from_the_parameters_then_the_environment_then_a_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert names() == ["mnist-localization", "", "", "train-g1", ()]
    for name in ("PROJECT", "ENTITY", "RUN_GROUP", "NAME"):
        monkeypatch.setenv(f"WANDB_{name}", f"{name} of the environment")
    monkeypatch.setenv("WANDB_TAGS", "one, two,")
    assert names() == [
        "PROJECT of the environment",
        "ENTITY of the environment",
        "RUN_GROUP of the environment",
        "NAME of the environment",
        ("one", "two"),
    ]
    parameters = {"project": "p", "entity": "e", "group": "g", "name": "n", "tags": ["t"]}
    assert names(**parameters) == ["p", "e", "g", "n", ("t",)]


@pytest.mark.parametrize(
    ("tags", "job_type"),
    [
        ({"fetch", "split"}, None),
        ({"train"}, "train"),
        ({"fetch", "publish"}, "publish"),
        ({"train", "evaluate"}, "pipeline"),
    ],
)
def test_the_stages_determine_the_job_type(tags: set[str], job_type: str | None) -> None:
    assert job_type_of(tags) == job_type


def test_the_command_repeats_environment_and_parameters() -> None:
    context = RunContext(
        settings=settings(mode="auto"),
        env="test",
        runtime_params={"wandb": {"project": "my boxes", "group": None}, "seed": 3},
    )
    assert context.publish_command() == (
        "WANDB_API_KEY=<your key> kedro run --pipelines=publish --env=test "
        "'--params=wandb.project=my boxes,wandb.group=,seed=3'"
    )


def test_the_command_omits_what_publishing_does_not_use() -> None:
    sections = ("fetch", "annotate", "split", "train", "publish", "evaluate", "dataset", "export")
    runtime_params: dict[str, Any] = {name: {"a": 1} for name in sections} | {"seed": 3}
    context = RunContext(settings=settings(mode="auto"), runtime_params=runtime_params)
    _, params = context.publish_command().split("--params=")
    assert params == "publish.a=1,evaluate.a=1,dataset.a=1,seed=3"


def test_the_source_of_a_dataset_is_its_url() -> None:
    parameters = {"fetch": {"upstream": {"url": "https://example.org/data"}}}
    context = RunContext(parameters=parameters)
    assert context.source_url(make_card(source="upstream")) == "https://example.org/data"
    remote = make_card(source="base_url", base_url="https://example.org/own")
    assert context.source_url(remote) == "https://example.org/own"
    for local in (make_card(source="synthetic"), make_card(source="base_url", base_url="/data")):
        assert context.source_url(local) == ""
