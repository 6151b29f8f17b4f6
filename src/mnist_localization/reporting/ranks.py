"""Places for the nodes of a directed graph, rank by rank.

The steps of Sugiyama, Tagawa and Toda (1981), for graphs of a few dozen nodes: ranks by the
longest path, stand-ins where an edge passes a rank, and the order within a rank by the mean of
the neighbors.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[str, str]
_Node = tuple[str, ...]

_SWEEPS = 24
_EDGE_WIDTH = 0.25  # of an edge that passes a rank, in widths of a node


@dataclass(frozen=True)
class Place:
    """Where a node stands.

    Attributes:
        rank: Row, from 0 at the top; every edge leads to a higher rank.
        x: Horizontal position, from 0, in widths of a node.
    """

    rank: int
    x: float


def arranged(
    nodes: Sequence[str], edges: Sequence[Edge]
) -> tuple[dict[str, Place], dict[Edge, list[Place]]]:
    """A place for each node, and the places between that each edge passes.

    Args:
        nodes: Names, each after those that its edges come from.
        edges: Pairs of names, from and to.

    Returns:
        The places of the nodes; and for each edge a place at every rank that it crosses.
    """
    rank = _ranks(nodes, edges)
    chains = {
        (start, end): [
            (start,),
            *((start, end, str(row)) for row in range(rank[start] + 1, rank[end])),
            (end,),
        ]
        for start, end in edges
    }
    rows: dict[int, list[_Node]] = defaultdict(list)
    for name in nodes:
        rows[rank[name]].append((name,))
    for (start, _), chain in chains.items():
        for step, node in enumerate(chain[1:-1], start=1):
            rows[rank[start] + step].append(node)
    places = _spread([rows[row] for row in sorted(rows)], list(chains.values()))
    return (
        {name: places[name,] for name in nodes},
        {edge: [places[node] for node in chain[1:-1]] for edge, chain in chains.items()},
    )


def _ranks(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    before = defaultdict(list)
    for start, end in edges:
        before[end].append(start)
    rank: dict[str, int] = {}
    for name in nodes:
        rank[name] = 1 + max((rank[start] for start in before[name]), default=-1)
    return rank


def _spread(rows: list[list[_Node]], chains: list[list[_Node]]) -> dict[_Node, Place]:
    """Order each row by its neighbors, sweeping down and up, and center it."""
    above, below = defaultdict(list), defaultdict(list)
    for chain in chains:
        for start, end in pairwise(chain):
            below[start].append(end)
            above[end].append(start)
    x: dict[_Node, float] = {}
    for row in rows:
        _place(row, x, lambda node: 0.0)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        neighbors = above if downwards else below
        for row in rows if downwards else reversed(rows):

            def wish(node: _Node, neighbors: dict[_Node, list[_Node]] = neighbors) -> float:
                near = neighbors[node]
                return sum(x[other] for other in near) / len(near) if near else x[node]

            row.sort(key=wish)
            _place(row, x, wish)
    left = min(x.values())
    return {
        node: Place(rank=rank, x=x[node] - left) for rank, row in enumerate(rows) for node in row
    }


def _place(row: list[_Node], x: dict[_Node, float], wish: Callable[[_Node], float]) -> None:
    """Put a row in its order where its nodes wish, but none over another."""
    wishes = [wish(node) for node in row]
    at: list[float] = []
    for index, wished in enumerate(wishes):
        least = at[-1] + (_width(row[index - 1]) + _width(row[index])) / 2 if at else wished
        at.append(max(wished, least))
    # Pushing apart moved the row to the right: its middle goes back.
    shift = (sum(wishes) - sum(at)) / len(row)
    for node, position in zip(row, at, strict=True):
        x[node] = position + shift


def _width(node: _Node) -> float:
    return 1.0 if len(node) == 1 else _EDGE_WIDTH
