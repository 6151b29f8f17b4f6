"""The architecture of a model as a drawing: layers as boxes, from the image down to the heads."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mnist_localization.reporting.charts.style import DARK, LIGHT, MEDIUM
from mnist_localization.reporting.ranks import Edge, Place, arranged

_FOLDED = {"BatchNormalization", "FusedBatchNormalization", "ReLU", "Activation", "Dropout"}
_WIDTH, _HEIGHT = 2.3, 0.62  # inches, of a box
_GAP_X, _GAP_Y = 0.3, 0.34  # inches, between boxes
_MARGIN, _HEAD = 0.25, 0.95  # inches
_DPI = 110


@dataclass(frozen=True)
class _Block:
    """A layer, and the layers without a shape of their own that follow it."""

    name: str
    types: tuple[str, ...]
    output_shape: str
    parameters: int
    inputs: tuple[str, ...]


def architecture_diagram(layers: pd.DataFrame, title: str) -> Figure:
    """The graph of a model's layers.

    Normalization, activation and dropout are written into the box of the layer before them.

    Args:
        layers: One row a layer, producers first: `layer`, `type`, `output_shape`,
            `parameters`, and `inputs`, names joined by `, `.
        title: Name of the model.
    """
    blocks = {block.name: block for block in _folded(layers)}
    edges = [(producer, block.name) for block in blocks.values() for producer in block.inputs]
    places, routes = arranged(list(blocks), edges)
    passed = [place for route in routes.values() for place in route]
    columns = max(place.x for place in [*places.values(), *passed]) + 1
    rows = max(place.rank for place in places.values()) + 1
    width = max(6.0, columns * (_WIDTH + _GAP_X) + 2 * _MARGIN)
    height = rows * (_HEIGHT + _GAP_Y) + _HEAD + _MARGIN
    figure = Figure(figsize=(width, height), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    axes.text(_MARGIN, 0.22, title, fontsize=13, va="top")
    count = int(layers["parameters"].sum())
    axes.text(
        _MARGIN,
        0.5,
        f"{len(layers)} layers, {count:,} parameters; in each box: name, type, output shape",
        fontsize=8.5,
        color="#555555",
        va="top",
    )
    shift = (width - columns * (_WIDTH + _GAP_X)) / 2
    _draw_edges(axes, places, routes, shift)
    heads = set(blocks) - {producer for producer, _ in edges}
    for name, block in blocks.items():
        _draw_block(axes, block, _center(places[name], shift), is_head=name in heads)
    return figure


def _folded(layers: pd.DataFrame) -> list[_Block]:
    """The layers, each with the chain of foldable ones behind it."""
    rows = {str(row["layer"]): row for row in layers.to_dict("records")}
    inputs = {
        name: [each for each in str(row["inputs"]).split(", ") if each]
        for name, row in rows.items()
    }
    uses = Counter(producer for producers in inputs.values() for producer in producers)
    stands_for: dict[str, str] = {}
    chains: dict[str, list[dict[Hashable, Any]]] = {}
    for name, row in rows.items():
        foldable = row["type"] in _FOLDED and [uses[each] for each in inputs[name]] == [1]
        stands_for[name] = stands_for[inputs[name][0]] if foldable else name
        chains.setdefault(stands_for[name], []).append(row)
    return [
        _Block(
            name=name,
            types=tuple(row["type"] for row in chain),
            output_shape=chain[-1]["output_shape"],
            parameters=sum(row["parameters"] for row in chain),
            inputs=tuple(dict.fromkeys(stands_for[producer] for producer in inputs[name])),
        )
        for name, chain in chains.items()
    ]


def _center(place: Place, shift: float) -> tuple[float, float]:
    x = shift + (place.x + 0.5) * (_WIDTH + _GAP_X)
    y = _HEAD + (place.rank + 0.5) * (_HEIGHT + _GAP_Y) - _GAP_Y / 2
    return x, y


def _draw_edges(
    axes: Axes,
    places: Mapping[str, Place],
    routes: Mapping[Edge, Sequence[Place]],
    shift: float,
) -> None:
    half = _HEIGHT / 2
    for (producer, consumer), route in routes.items():
        x, y = _center(places[producer], shift)
        points = [(x, y + half)]
        for place in route:
            x, y = _center(place, shift)
            points += [(x, y - half), (x, y + half)]
        x, y = _center(places[consumer], shift)
        axes.plot(*zip(*points, (x, y - half - 0.06), strict=True), color="#999999", linewidth=1.1)
        axes.annotate(
            "",
            xy=(x, y - half),
            xytext=(x, y - half - 0.09),
            arrowprops={"arrowstyle": "-|>", "color": "#777777", "shrinkA": 0, "shrinkB": 0},
        )


def _draw_block(axes: Axes, block: _Block, center: tuple[float, float], *, is_head: bool) -> None:
    x, y = center
    edge = MEDIUM if is_head or not block.inputs else DARK
    axes.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2, y - _HEIGHT / 2),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.07",
            facecolor=LIGHT + "55" if block.parameters else "white",
            edgecolor=edge,
            linewidth=2.0 if edge == MEDIUM else 1.0,
            zorder=3,
        )
    )
    shape = block.output_shape
    if block.parameters:
        shape += f"  ·  {block.parameters:,} parameters"
    for offset, text, style in (
        (-0.165, block.name, {"fontsize": 9, "fontweight": "bold"}),
        (0.03, " + ".join(block.types), {"fontsize": 7.5}),
        (0.195, shape, {"fontsize": 7.5, "color": "#333333"}),
    ):
        axes.text(x, y + offset, text, ha="center", va="center", zorder=4, **style)
