"""Where the figures come from: banners that cannot be missed, and the facts of the dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_localization.config import DatasetSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation import Metrics
from mnist_localization.reporting.html.formatting import count, plain, words

SOURCES = {
    "upstream": "the published dataset",
    "base_url": "a copy given by its address",
    "synthetic": "a stand-in made locally",
    "folder": "images and annotations of one's own",
}

# Shown in places of their own, or of no use to a reader.
_TOLD_ELSEWHERE = {"source", "base_url", "files", "fallback_reason", "requested_source"}


@dataclass(frozen=True)
class Banner:
    """A warning at the top of the page."""

    title: str
    text: str


def banners(metrics: Metrics, card: DatasetCard) -> list[Banner]:
    """What a reader must know before believing a figure."""
    scored = metrics.dataset
    found = []
    if scored.source == "synthetic":
        why = card.fallback_reason
        reason = f" Why: {why}" if why else ""
        if not why and card.source == "synthetic":
            reason = " It was asked for in the configuration."
        found.append(
            Banner(
                "Synthetic stand-in, not the real dataset",
                f"Every figure below comes from images that were made locally.{reason}",
            )
        )
    if scored.validated_on == "test":
        found.append(
            Banner(
                "Training validated on the test split",
                "The best epoch was chosen by looking at these very images, so no figure below "
                "is an unbiased estimate for new images.",
            )
        )
    if scored.source != card.source:
        found.append(
            Banner(
                "Scores and dataset do not belong together",
                f"The scores were made on the source “{scored.source}”, the files on disk are "
                f"of “{card.source}”. Run the stages again from split on.",
            )
        )
    return found


def facts(dataset: DatasetSettings, metrics: Metrics, card: DatasetCard) -> list[tuple[str, str]]:
    """The head of the page: name and value of each fact."""
    source = metrics.dataset.source
    image = dataset.image
    color = "gray" if image.channels == 1 else "color"
    listed = [
        ("Source", f"{source} ({SOURCES[source]})" if source in SOURCES else source),
        ("Address", card.base_url),
        (
            "Scored on",
            f"{count(metrics.images)} images of the {metrics.dataset.split} split",
        ),
        (
            "Images",
            ("of any size, seen as " if image.letterbox else "")
            + f"{image.width} × {image.height} px, {color}",  # noqa: RUF001 - "times"
        ),
        ("Classes", count(len(dataset.class_names))),
        ("Fingerprint", metrics.dataset.fingerprint),
    ]
    return [(name, value) for name, value in listed if value]


def card_facts(card: DatasetCard) -> list[tuple[str, str]]:
    """Whatever else the dataset card says, as names and values."""
    return entries(card.model_dump(exclude=_TOLD_ELSEWHERE, exclude_none=True))


def card_files(card: DatasetCard) -> list[dict[str, str]]:
    """The files of the dataset: `name`, `size` in bytes and `sha256`, written."""
    return [
        {"name": name, "size": count(file.size), "sha256": file.sha256}
        for name, file in card.files.items()
    ]


def training(metrics: Metrics) -> list[tuple[str, str]]:
    """How the model was trained, as names and values: `optimizer.name` is `Optimizer, name`."""
    return entries({name.replace(".", ", "): value for name, value in metrics.training.items()})


def entries(document: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """A JSON document as names and values, inner mappings with the outer name in front."""
    listed: list[tuple[str, str]] = []
    for key, value in document.items():
        name = f"{above}, {key.replace('_', ' ')}" if above else words(key)
        if isinstance(value, Mapping):
            listed += entries(value, name)
        elif _is_short(value):
            listed.append((name, plain(value)))
    return listed


def _is_short(value: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(not isinstance(item, Mapping | list | tuple) for item in value)
    return True
