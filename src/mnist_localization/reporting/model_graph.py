"""Figure of a model's layers, drawn as a graph from the input down to the outputs."""

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mnist_localization.reporting.charts._drawing import DARK, LIGHT, MEDIUM

_FOLDED = {"BatchNormalization", "FusedBatchNormalization", "ReLU", "Activation", "Dropout"}
_WIDTH, _HEIGHT = 2.6, 0.62  # inches, of a box
_COLUMN, _ROW = 2.9, 0.96  # inches between the centers of neighbors
_EDGE_COLUMN = 0.7  # inches that an edge takes in a row that it crosses
_MARGIN, _HEAD = 0.25, 0.95  # inches
_SWEEPS = 24


def architecture_diagram(layers: pd.DataFrame, title: str) -> Figure:
    """Draw the graph of a model's layers.

    Normalization, activation and dropout are written into the box of the layer before them.

    Args:
        layers: One row per layer, producers first, with columns `layer`, `type`,
            `output_shape`, `parameters` and `inputs` (names joined by `, `).
        title: Name of the model.
    """
    graph = _layer_graph(layers)
    routes = _routes(graph)
    centers = _centers(graph, routes)
    width = max(6.0, max(x for x, _ in centers.values()) + _WIDTH / 2 + _MARGIN)
    height = max(y for _, y in centers.values()) + _HEIGHT / 2 + _MARGIN
    figure = Figure(figsize=(width, height), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.text(_MARGIN, 0.22, title, fontsize=13, va="top")
    count = f"{len(layers)} layers, {layers['parameters'].sum():,} parameters"
    summary = f"{count}; each box shows name, type and output shape"
    axes.text(_MARGIN, 0.5, summary, fontsize=8.5, color="#555555", va="top")
    for route in routes:
        _draw_edge(axes, [centers[node] for node in route])
    for name, layer in graph.nodes.items():
        is_end = not graph.in_degree(name) or not graph.out_degree(name)
        _draw_layer(axes, f"{name}", layer, centers[name], MEDIUM if is_end else DARK)
    return figure


def _layer_graph(layers: pd.DataFrame) -> nx.DiGraph:
    """Return the graph of the layers after folding; nodes have `types`, `shape`, `parameters`."""
    graph = nx.DiGraph()
    for row in layers.to_dict("records"):
        name = row["layer"]
        layer = {"types": row["type"], "shape": row["output_shape"]}
        graph.add_node(name, parameters=row["parameters"], **layer)
        graph.add_edges_from((producer, name) for producer in row["inputs"].split(", ") if producer)
    for name, layer in list(graph.nodes.items()):
        producers = list(graph.predecessors(name))
        if layer["types"] in _FOLDED and [graph.out_degree(it) for it in producers] == [1]:
            into = graph.nodes[producers[0]]
            into["types"] += f" + {layer['types']}"
            into["shape"] = layer["shape"]
            into["parameters"] += layer["parameters"]
            nx.contracted_nodes(graph, producers[0], name, self_loops=False, copy=False)
    return graph


def _routes(graph: nx.DiGraph) -> list[list[Any]]:
    """Return the nodes of each edge, with a placeholder for every row that the edge crosses."""
    generations = enumerate(nx.topological_generations(graph))
    row = {node: number for number, nodes in generations for node in nodes}
    return [
        [start, *((start, end, between) for between in range(row[start] + 1, row[end])), end]
        for start, end in graph.edges
    ]


def _centers(graph: nx.DiGraph, routes: list[list[Any]]) -> dict[Any, tuple[float, float]]:
    """Return the centers of nodes and placeholders, in inches.

    Each row is ordered by the mean position of its neighbors, in sweeps down and up (Sugiyama,
    Tagawa and Toda, 1981).
    """
    layered = nx.create_empty_copy(graph)
    for route in routes:
        nx.add_path(layered, route)
    rows = list(nx.topological_generations(layered))
    x = dict.fromkeys(layered, 0.0)
    for sweep in range(_SWEEPS):
        neighbors = layered.succ if sweep % 2 else layered.pred
        for row in reversed(rows) if sweep % 2 else rows:
            goals = {it: np.mean([x[near] for near in neighbors[it]] or [x[it]]) for it in row}
            row.sort(key=goals.__getitem__)
            goal = np.array([goals[it] for it in row])
            widths = np.array([_COLUMN if it in graph else _EDGE_COLUMN for it in row])
            offsets = np.cumsum(widths) - widths / 2
            at = offsets + np.maximum.accumulate(goal - offsets)
            # Keeping the nodes apart moved the row to the right: move its mean back.
            x.update(zip(row, at + (goal - at).mean(), strict=True))
    left, top = min(x.values()) - _WIDTH / 2 - _MARGIN, _HEAD + _HEIGHT / 2
    return {
        it: (x[it] - left, top + _ROW * number) for number, row in enumerate(rows) for it in row
    }


def _draw_edge(axes: Axes, centers: list[tuple[float, float]]) -> None:
    points = [(x, y + side * _HEIGHT / 2) for x, y in centers for side in (-1, 1)][1:-1]
    axes.plot(*zip(*points, strict=True), color="#999999", linewidth=1.1)
    x, y = points[-1]
    axes.plot(x, y - 0.05, marker="v", color="#777777", markersize=5)


def _draw_layer(
    axes: Axes, name: str, layer: dict[str, Any], center: tuple[float, float], edge: str
) -> None:
    x, y = center
    box = FancyBboxPatch(
        (x - _WIDTH / 2, y - _HEIGHT / 2),
        *(_WIDTH, _HEIGHT),
        boxstyle="round,pad=0,rounding_size=0.07",
        facecolor=LIGHT + "55" if layer["parameters"] else "white",
        edgecolor=edge,
        linewidth=2.0 if edge == MEDIUM else 1.0,
        zorder=3,
    )
    axes.add_patch(box)
    parameters = f"  ·  {layer['parameters']:,} parameters" if layer["parameters"] else ""
    text: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4}
    axes.text(x, y - 0.165, name, fontsize=9, fontweight="bold", **text)
    axes.text(x, y + 0.1, f"{layer['types']}\n{layer['shape']}{parameters}", fontsize=7.5, **text)
