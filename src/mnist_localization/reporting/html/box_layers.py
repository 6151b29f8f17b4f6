"""The named sets of boxes that the page draws: how each is called, and how it looks."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage
from mnist_localization.reporting.html.formatting import words

# Their looks are in the stylesheet.
_OURS = {
    GROUND_TRUTH: ("true", "True box", "solid"),
    PREDICTIONS: ("pred", "Predicted box", "dashed"),
}
# Lines and gaps of further sets, in pixels of a small image, and how they are called.
_DASHES = (
    ((1.5, 2.5), "dotted"),
    ((8.0, 2.5, 1.5, 2.5), "dash and dot"),
    ((11.0, 3.0), "long dashes"),
    ((6.0, 2.0, 1.5, 2.0, 1.5, 2.0), "dash and two dots"),
)
# Hues that far apart never meet again, and keep away from those before them.
_FIRST_HUE, _GOLDEN_ANGLE = 320.0, 137.5
_ENLARGED = 1.8


@dataclass(frozen=True)
class BoxSet:
    """One set of boxes.

    Attributes:
        name: Its name in the records.
        key: Names it in classes and identifiers of the page; never text of a dataset.
        title: What a reader calls it.
        line: How its lines are drawn, in words.
    """

    name: str
    key: str
    title: str
    line: str


def box_sets(records: Sequence[AnnotatedImage]) -> list[BoxSet]:
    """The sets that the records hold: the truth, the predictions, then all others."""
    # As a mapping, to keep the order in which they are met.
    met = {name: None for record in records for name in record.box_layers}
    ours = [BoxSet(name, *said) for name, said in _OURS.items() if name in met]
    others = [name for name in met if name not in _OURS]
    return ours + [
        BoxSet(name, f"set-{number}", words(name), _DASHES[number % len(_DASHES)][1])
        for number, name in enumerate(others)
    ]


def set_styles(sets: Sequence[BoxSet]) -> str:
    """Rules for the looks of those sets that the stylesheet does not know."""
    others = [box_set for box_set in sets if box_set.name not in _OURS]
    return "".join(_rules(box_set.key, number) for number, box_set in enumerate(others))


def _rules(key: str, number: int) -> str:
    hue = (_FIRST_HUE + number * _GOLDEN_ANGLE) % 360
    dashes, _ = _DASHES[number % len(_DASHES)]
    small, large = (" ".join(f"{dash * scale:g}" for dash in dashes) for scale in (1, _ENLARGED))
    return (
        f".box-{key}.line, .swatch-{key} "
        f"{{ stroke: hsl({hue:g} 85% 68%); stroke-dasharray: {small}; }}\n"
        f".viewer-body .box-{key}.line {{ stroke-dasharray: {large}; }}\n"
        f".hide-{key} .box-{key} {{ display: none; }}\n"
    )
