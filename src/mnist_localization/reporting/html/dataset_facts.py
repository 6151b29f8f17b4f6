"""Where the figures come from: banners that cannot be missed, and the facts of the dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_localization.config import DatasetSettings
from mnist_localization.reporting.html.formatting import count, plain, words

SOURCES = {
    "upstream": "the published dataset",
    "base_url": "a copy given by its address",
    "synthetic": "a stand-in made locally",
    "folder": "images and annotations of one's own",
}

# Shown in places of their own, or of no use to a reader.
_TOLD_ELSEWHERE = ("source", "base_url", "files", "fallback_reason", "requested_source")


@dataclass(frozen=True)
class Banner:
    """A warning at the top of the page."""

    title: str
    text: str


def banners(metrics: Mapping[str, Any], card: Mapping[str, Any]) -> list[Banner]:
    """What a reader must know before believing a figure."""
    told = metrics.get("dataset") or {}
    found = []
    if (told.get("source") or card.get("source")) == "synthetic":
        why = card.get("fallback_reason")
        reason = f" Why: {why}" if why else ""
        if not why and card.get("source") == "synthetic":
            reason = " It was asked for in the configuration."
        found.append(
            Banner(
                "Synthetic stand-in, not the real dataset",
                f"Every figure below comes from images that were made locally.{reason}",
            )
        )
    if told.get("validated_on") == "test":
        found.append(
            Banner(
                "Training validated on the test split",
                "The best epoch was chosen by looking at these very images, so no figure below "
                "is an unbiased estimate for new images.",
            )
        )
    if card and told.get("source") not in (None, card.get("source")):
        found.append(
            Banner(
                "Scores and dataset do not belong together",
                f"The scores were made on the source “{told['source']}”, the files on disk are "
                f"of “{card.get('source')}”. Run the stages again from split on.",
            )
        )
    return found


def facts(
    dataset: DatasetSettings, metrics: Mapping[str, Any], card: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """The head of the page: name and value of each fact."""
    told = metrics.get("dataset") or {}
    source = told.get("source") or card.get("source") or ""
    image = dataset.image
    color = "gray" if image.channels == 1 else "color"
    listed = [
        ("Source", f"{source} ({SOURCES[source]})" if source in SOURCES else source),
        ("Address", str(card.get("base_url") or "")),
        (
            "Scored on",
            f"{count(metrics['images'])} images of the {told.get('split', 'test')} split",
        ),
        (
            "Images",
            ("of any size, seen as " if image.letterbox else "")
            + f"{image.width} × {image.height} px, {color}",  # noqa: RUF001 - "times"
        ),
        ("Classes", count(len(dataset.class_names))),
        ("Fingerprint", str(told.get("fingerprint") or "")),
    ]
    return [(name, value) for name, value in listed if value]


def card_facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Whatever else the dataset card says, as names and values."""
    return entries({key: value for key, value in card.items() if key not in _TOLD_ELSEWHERE})


def card_files(card: Mapping[str, Any]) -> list[dict[str, str]]:
    """The files of the dataset: `name`, `size` in bytes and `sha256`, written."""
    files = card.get("files") or {}
    return [
        {"name": name, "size": count(int(file["size"])), "sha256": str(file["sha256"])}
        for name, file in files.items()
    ]


def training(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the model was trained, as names and values: `optimizer.name` is `Optimizer, name`."""
    told = metrics.get("training") or {}
    return entries({name.replace(".", ", "): value for name, value in told.items()})


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
