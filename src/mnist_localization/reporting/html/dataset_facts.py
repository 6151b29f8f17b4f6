"""Origin of the numbers: warnings about them, and facts about dataset and training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_localization.config.data import DatasetSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.reporting.html.formatting import count, plain, words

SOURCES = {
    "upstream": "the published dataset",
    "base_url": "a copy from a given URL or path",
    "synthetic": "a local stand-in",
    "folder": "a local folder of images and annotations",
}

# Fields of the card that have their own place on the page, or are of no use to a reader.
_SHOWN_ELSEWHERE = {"source", "base_url", "files", "fallback_reason", "requested_source"}


@dataclass(frozen=True)
class Banner:
    """A warning at the top of the page."""

    title: str
    text: str


def banners(metrics: Metrics, card: DatasetCard) -> list[Banner]:
    """Return warnings that readers need before they rely on a number."""
    scored = metrics.dataset
    found = []
    if scored.source == "synthetic":
        reason = f" Reason: {card.fallback_reason}" if card.fallback_reason else ""
        if not reason and card.source == "synthetic":
            reason = " The configuration asks for it."
        text = f"All numbers on this page are of images that were made locally.{reason}"
        found.append(Banner("Synthetic stand-in, not the real dataset", text))
    if scored.validated_on == "test":
        text = (
            "The best epoch was chosen by the scores on these images, so the numbers are not "
            "unbiased estimates for new images."
        )
        found.append(Banner("Training validated on the test split", text))
    if scored.source != card.source:
        text = (
            f"The scores are of the source “{scored.source}”, but the fetched files are of "
            f"“{card.source}”. Run the stages again, starting with split."
        )
        found.append(Banner("Scores and dataset do not match", text))
    return found


def facts(dataset: DatasetSettings, metrics: Metrics, card: DatasetCard) -> list[tuple[str, str]]:
    """Return the names and values in the head of the page."""
    source, image = metrics.dataset.source, dataset.image
    shape = f"{image.width} × {image.height} px"  # noqa: RUF001 - the sign "times"
    shape = f"any size, scaled to {shape}" if image.letterbox else shape
    entries = [
        ("Source", f"{source} ({SOURCES[source]})" if source in SOURCES else source),
        ("Address", card.base_url),
        ("Scored on", f"{count(metrics.images)} images of the {metrics.dataset.split} split"),
        ("Images", f"{shape}, {'gray' if image.channels == 1 else 'color'}"),
        ("Classes", count(len(dataset.class_names))),
        ("Fingerprint", metrics.dataset.fingerprint),
    ]
    return [(name, value) for name, value in entries if value]


def card_facts(card: DatasetCard) -> list[tuple[str, str]]:
    """Return the other facts of the dataset card as names and values."""
    return _flat(card.model_dump(exclude=_SHOWN_ELSEWHERE, exclude_none=True))


def training_facts(metrics: Metrics) -> list[tuple[str, str]]:
    """Return how the model was trained; the key `optimizer.name` becomes `Optimizer, name`."""
    return _flat({name.replace(".", ", "): value for name, value in metrics.training.items()})


def _flat(document: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return the short values of a JSON document, with the names of outer mappings in front."""
    entries: list[tuple[str, str]] = []
    for key, value in document.items():
        name = f"{above}, {key.replace('_', ' ')}" if above else words(key)
        if isinstance(value, Mapping):
            entries += _flat(value, name)
        elif _is_short(value):
            entries.append((name, plain(value)))
    return entries


def _is_short(value: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(not isinstance(item, Mapping | list | tuple) for item in value)
    return True
