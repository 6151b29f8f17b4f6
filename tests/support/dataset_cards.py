"""Dataset cards for tests."""

from typing import Any

from mnist_localization.data.dataset_card import DatasetCard


def make_card(**changes: Any) -> DatasetCard:
    """Return the card of a small published dataset, with changes."""
    facts = {
        "source": "upstream",
        "requested_source": changes.get("source", "upstream"),
        "folder": "source",
        "files": {
            "train.zip": {"size": 12345678, "sha256": "ab" * 32},
            "test.zip": {"size": 1234567, "sha256": "cd" * 32},
        },
        "splits": {
            split: {"annotations": f"{split}.csv", "archive": f"{split}.zip", "images": split}
            for split in ("train", "test")
        },
        "train_images": 60000,
        "test_images": 10000,
    }
    return DatasetCard.model_validate(facts | changes)
