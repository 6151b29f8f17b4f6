"""Datasets of one file: atomic saves and typed JSON."""

import json
import pickle
import signal
import subprocess
import sys
import textwrap

import pandas as pd
import pytest
from kedro.io import DatasetError

from mnist_localization import datasets
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.datasets import (
    AtomicJSONDataset,
    AtomicParquetDataset,
    AtomicTextDataset,
    TypedJSONDataset,
)
from mnist_localization.errors import LocalizationError
from support.dataset_cards import make_card


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def card_dataset(tmp_path):
    return TypedJSONDataset(
        filepath=str(tmp_path / "card.json"),
        model="mnist_localization.data.dataset_card.DatasetCard",
        stage="fetch",
    )


@pytest.mark.parametrize(
    ("dataset", "data"),
    [
        (AtomicJSONDataset, {"a": [1, None]}),
        (AtomicTextDataset, "text"),
        (AtomicParquetDataset, pd.DataFrame({"a": [1, 2]})),
    ],
)
def test_data_is_saved_and_loaded_without_leftovers(tmp_path, dataset, data):
    saved = dataset(filepath=str(tmp_path / "folder" / "data"))
    assert not saved.exists()
    for _ in range(2):
        saved.save(data)
    assert saved.exists()
    loaded = saved.load()
    assert loaded.equals(data) if isinstance(data, pd.DataFrame) else loaded == data
    assert names(tmp_path / "folder") == ["data"]


def test_a_failed_save_keeps_the_old_file(tmp_path):
    dataset = AtomicJSONDataset(filepath=str(tmp_path / "a.json"))
    dataset.save({"a": 1})
    with pytest.raises(DatasetError):
        dataset.save({"a": 1, "b": object()})
    assert dataset.load() == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_a_killed_save_keeps_the_old_file_and_the_next_one_succeeds(tmp_path):
    path = tmp_path / "a.json"
    dataset = AtomicJSONDataset(filepath=str(path))
    dataset.save({"a": 1})
    script = f"""
        import json, time
        from mnist_localization.datasets import AtomicJSONDataset

        def dump(data, file, **_):
            file.write('{{"a": ')
            file.flush()
            print("writing", flush=True)
            time.sleep(60)

        json.dump = dump
        AtomicJSONDataset(filepath={str(path)!r}).save({{"a": 2}})
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "writing\n"
        writer.send_signal(signal.SIGKILL)
    assert dataset.load() == {"a": 1}
    dataset.save({"a": 3})
    assert dataset.load() == {"a": 3}
    assert names(tmp_path) == ["a.json"]


def test_a_file_on_another_file_system_is_saved_and_loaded():
    dataset = AtomicTextDataset(filepath="memory:///atomic/a.txt")
    for text in ("first", "second"):
        dataset.save(text)
    assert dataset.load() == "second"
    assert not [path for path in dataset._fs.find("") if ".part" in path]


@pytest.mark.parametrize(
    "name",
    [
        *("AtomicJSONDataset", "AtomicMatplotlibDataset", "AtomicParquetDataset"),
        *("AtomicPlotlyDataset", "AtomicTextDataset", "TypedJSONDataset"),
        *("FolderDataset", "ImageSplitDataset", "TrackerDataset", "LocalizerDataset"),
    ],
)
def test_each_dataset_has_an_importable_class(name):
    dataset = getattr(datasets, name)
    assert dataset.__name__ == name
    assert dataset.__doc__
    assert pickle.loads(pickle.dumps(dataset)) is dataset  # noqa: S301


def test_saving_json_imports_no_plotting_library():
    script = (
        "import sys\n"
        "from mnist_localization.datasets import AtomicJSONDataset, TypedJSONDataset\n"
        "assert not {'matplotlib', 'plotly', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", ["NoDataset", "AtomicDataset"])
def test_an_unknown_dataset_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=name):
        getattr(datasets, name)


def test_a_typed_document_is_saved_as_json_and_loaded_as_the_model(card_dataset, tmp_path):
    card = make_card(fallback_reason="no network")
    card_dataset.save(card)
    document = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert document["files"]["train.zip"]["size"] == 12345678
    loaded = card_dataset.load()
    assert isinstance(loaded, DatasetCard)
    assert loaded == card
    assert names(tmp_path) == ["card.json"]


def test_the_preview_of_a_typed_document_is_json(card_dataset):
    card = make_card()
    card_dataset.save(card)
    assert TypedJSONDataset.preview.__annotations__["return"].__name__ == "JSONPreview"
    assert json.loads(card_dataset.preview()) == card.model_dump(mode="json")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid UTF-8 JSON"),
        ('{"source": "ups', "not valid UTF-8 JSON"),
        ("[]", "document: "),
        ('{"source": "upstream"}', "requested_source: Field required"),
    ],
)
def test_an_invalid_document_is_an_error_that_names_file_reason_and_stage(
    card_dataset, tmp_path, text, reason
):
    (tmp_path / "card.json").write_text(text, "utf-8")
    with pytest.raises(DatasetError) as caught:
        card_dataset.load()
    cause = caught.value.__cause__
    assert isinstance(cause, LocalizationError)
    assert str(tmp_path / "card.json") in str(cause)
    assert f"({reason}" in str(cause)
    assert "run `kedro run --pipelines=fetch` again" in str(cause)


def test_a_document_that_is_not_utf8_is_an_error(card_dataset, tmp_path):
    (tmp_path / "card.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DatasetError) as caught:
        card_dataset.load()
    assert "not valid UTF-8 JSON" in str(caught.value.__cause__)


def test_a_card_with_keys_of_another_version_is_an_error(card_dataset, tmp_path):
    document = make_card().model_dump(mode="json")
    document["splits"]["train"]["csv"] = document["splits"]["train"].pop("annotations")
    (tmp_path / "card.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(DatasetError) as caught:
        card_dataset.load()
    assert "splits.train.annotations: Field required" in str(caught.value.__cause__)
