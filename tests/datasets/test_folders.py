"""Datasets of local folders."""

import pytest
from kedro.io import DatasetError

from mnist_localization.datasets import FolderDataset, ImageSplitDataset


def test_loading_a_folder_creates_it(tmp_path):
    dataset = FolderDataset(path=str(tmp_path / "new" / "folder"))
    assert not dataset.exists()
    assert dataset.load() == tmp_path / "new" / "folder"
    assert dataset.exists()


def test_a_folder_cannot_be_an_output(tmp_path):
    with pytest.raises(DatasetError, match="can only be the input of a node"):
        FolderDataset(path=str(tmp_path)).save("data")


def test_a_folder_without_a_complete_store_is_not_a_split(tmp_path):
    assert not ImageSplitDataset(path=str(tmp_path)).exists()
