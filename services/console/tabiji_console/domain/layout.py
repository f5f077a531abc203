"""Where a map's nodes go: layers along the road, positions across it. Pure, and knows nothing of orientation.

``along`` runs with the road, ``across`` is at right angles to it. The steps are Sugiyama's: break cycles by depth-first
search, longest-path layers, dummy nodes, barycentre order (the best is kept); then positions across by weighted least
squares with a minimum separation, solved exactly by pooling adjacent violators. The straighter an edge should be, the
more it weighs: by its flow, and 1, 3 or 9 times for 0, 1 or 2 dummy ends (Gansner et al., 1993).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 12
DUMMY_HALF = 12.0
WEIGHT_OF_ENDS = (1.0, 3.0, 9.0)


@dataclass(frozen=True)
class Box:
    """A node to place: its length along the road, and how far it reaches across, on either side of its middle."""

    name: str
    along: float
    before: float
    after: float


@dataclass(frozen=True)
class Edge:
    """From one node to another, with the people who took it."""

    source: str
    target: str
    flow: float = 0.0


NO_MORE = Edge("", "")


@dataclass(frozen=True)
class Spot:
    """Where the middle of something is."""

    along: float
    across: float


@dataclass(frozen=True)
class Layout:
    """Places of all nodes; for every forward edge the spots it passes between its ends; and the edges that go back.

    ``layers`` holds where each layer begins and ends along the road.
    """

    spots: Mapping[str, Spot]
    layer: Mapping[str, int]
    layers: Sequence[tuple[float, float]]
    via: Mapping[tuple[str, str], Sequence[Spot]]
    loops: Sequence[Edge]
    length: float
    breadth: float


@dataclass
class _Work:
    """The graph without cycles, with dummies where an edge passes a layer."""

    boxes: dict[str, Box]
    layer: dict[str, int]
    rows: list[list[str]] = field(default_factory=list)
    links: list[tuple[str, str, float]] = field(default_factory=list)
    chains: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def place(boxes: Sequence[Box], edges: Sequence[Edge], gap_along: float = 56.0, gap_across: float = 24.0) -> Layout:
    """Lay out; ``boxes`` in the order of the document, the start first. The same input gives the same picture."""
    known = {box.name: box for box in boxes}
    forward, loops = _without_cycles([box.name for box in boxes], _merged(edges, known))
    work = _Work(known.copy(), _layers(list(known), forward))
    _add_dummies(work, forward)
    _order(work)
    across = _positions(work, gap_across)
    spans = list(_spans(work, gap_along))
    low = min((across[name] - work.boxes[name].before for name in across), default=0.0)
    spots = {
        name: Spot((spans[work.layer[name]][0] + spans[work.layer[name]][1]) / 2, at - low)
        for name, at in across.items()
    }
    return Layout(
        {name: spots[name] for name in known},
        {name: work.layer[name] for name in known},
        spans,
        {pair: [spots[name] for name in chain] for pair, chain in work.chains.items()},
        loops,
        spans[-1][1] if spans else 0.0,
        max((spots[name].across + work.boxes[name].after for name in across), default=0.0),
    )


def _merged(edges: Sequence[Edge], known: Mapping[str, Box]) -> list[Edge]:
    """One edge for each pair; an edge to nowhere is none."""
    flows: dict[tuple[str, str], float] = {}
    for edge in edges:
        if edge.source in known and edge.target in known:
            flows[edge.source, edge.target] = flows.get((edge.source, edge.target), 0.0) + edge.flow
    return [Edge(source, target, flow) for (source, target), flow in flows.items()]


def _without_cycles(names: Sequence[str], edges: Sequence[Edge]) -> tuple[list[Edge], list[Edge]]:
    """The edges that lead on, and those that lead back to a node that the search is still inside of."""
    out: dict[str, list[Edge]] = {name: [] for name in names}
    for edge in edges:
        out[edge.source].append(edge)
    forward: list[Edge] = []
    loops: list[Edge] = []
    state: dict[str, int] = {}
    for root in names:
        stack: list[tuple[str, Iterator[Edge]]] = []
        if root not in state:
            state[root] = 1
            stack.append((root, iter(out[root])))
        while stack:
            name, rest = stack[-1]
            edge = next(rest, NO_MORE)
            if edge is NO_MORE:
                state[name] = 2
                stack.pop()
            elif state.get(edge.target) == 1:
                loops.append(edge)
            else:
                forward.append(edge)
                if edge.target not in state:
                    state[edge.target] = 1
                    stack.append((edge.target, iter(out[edge.target])))
    return forward, loops


def _layers(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Longest paths from the start; whoever has no way in stands right before the first it leads to."""
    layer = dict.fromkeys(names, 0)
    for _ in names:
        moved = False
        for edge in edges:
            if layer[edge.target] <= layer[edge.source]:
                layer[edge.target] = layer[edge.source] + 1
                moved = True
        if not moved:
            break
    entered = {edge.target for edge in edges}
    for name in names[1:]:
        ahead = [layer[edge.target] for edge in edges if edge.source == name]
        if name not in entered and ahead:
            layer[name] = min(ahead) - 1
    return layer


def _add_dummies(work: _Work, edges: Sequence[Edge]) -> None:
    work.rows = [[] for _ in range(max(work.layer.values(), default=-1) + 1)]
    for name in work.boxes:
        work.rows[work.layer[name]].append(name)
    for edge in edges:
        chain = [
            f"\0{edge.source}\0{edge.target}\0{at}"
            for at in range(work.layer[edge.source] + 1, work.layer[edge.target])
        ]
        for at, name in enumerate(chain, start=work.layer[edge.source] + 1):
            work.boxes[name] = Box(name, 0.0, DUMMY_HALF, DUMMY_HALF)
            work.layer[name] = at
            work.rows[at].append(name)
        path = [edge.source, *chain, edge.target]
        work.chains[edge.source, edge.target] = chain
        work.links += [(a, b, edge.flow) for a, b in pairwise(path)]


def _order(work: _Work) -> None:
    """Barycentre sweeps, down and up; the order with the fewest crossings is kept, the first of several."""
    best, fewest = [row.copy() for row in work.rows], _crossings(work)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        order = range(1, len(work.rows)) if down else range(len(work.rows) - 2, -1, -1)
        for at in order:
            beside = {name: n for n, name in enumerate(work.rows[at - 1 if down else at + 1])}
            work.rows[at].sort(key=_barycentres(work, at, beside, down=down).__getitem__)
        if (now := _crossings(work)) < fewest:
            best, fewest = [row.copy() for row in work.rows], now
    work.rows = best


def _barycentres(work: _Work, at: int, beside: Mapping[str, int], *, down: bool) -> dict[str, float]:
    sums: dict[str, list[int]] = {name: [] for name in work.rows[at]}
    for source, target, _ in work.links:
        mine, other = (target, source) if down else (source, target)
        if mine in sums and other in beside:
            sums[mine].append(beside[other])
    return {name: sum(found) / len(found) if found else float(n) for n, (name, found) in enumerate(sums.items())}


def _crossings(work: _Work) -> int:
    place_of = {name: n for row in work.rows for n, name in enumerate(row)}
    by_layer: dict[int, list[tuple[int, int]]] = {}
    for source, target, _ in work.links:
        by_layer.setdefault(work.layer[source], []).append((place_of[source], place_of[target]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0
        for pairs in by_layer.values()
        for n, a in enumerate(pairs)
        for b in pairs[n + 1 :]
    )


def _positions(work: _Work, gap: float) -> dict[str, float]:
    """Across: every layer in turn goes to where its neighbours pull it, as far as the separation allows."""
    at: dict[str, float] = {}
    for row in work.rows:
        offsets = _offsets(work, row, gap)
        at.update({name: offset - offsets[-1] / 2 for name, offset in zip(row, offsets, strict=True)})
    pulls: dict[str, list[tuple[str, float]]] = {name: [] for name in at}
    most = max((flow for _, _, flow in work.links), default=0.0) or 1.0
    for source, target, flow in work.links:
        dummies = (source not in work.layer or source[0] == "\0") + (target[0] == "\0")
        weight = (0.02 + flow / most) * WEIGHT_OF_ENDS[dummies]
        pulls[source].append((target, weight))
        pulls[target].append((source, weight))
    for sweep in range(4 * SWEEPS):
        order = range(len(work.rows)) if sweep % 2 == 0 else range(len(work.rows) - 1, -1, -1)
        for n in order:
            _settle(work, n, at, pulls, gap)
    return at


def _settle(
    work: _Work, layer: int, at: dict[str, float], pulls: Mapping[str, Sequence[tuple[str, float]]], gap: float
) -> None:
    row = work.rows[layer]
    wanted: list[float] = []
    weights: list[float] = []
    for name in row:
        weight = sum(weight for _, weight in pulls[name])
        wanted.append(sum(at[other] * w for other, w in pulls[name]) / weight if weight else at[name])
        weights.append(weight or 0.01)
    offsets = _offsets(work, row, gap)
    fitted = pooled([want - offset for want, offset in zip(wanted, offsets, strict=True)], weights)
    at.update({name: value + offset for name, value, offset in zip(row, fitted, offsets, strict=True)})


def _offsets(work: _Work, row: Sequence[str], gap: float) -> list[float]:
    """The least distance of each from the first of its row."""
    offsets = [0.0]
    for one, other in pairwise(row):
        offsets.append(offsets[-1] + work.boxes[one].after + gap + work.boxes[other].before)
    return offsets[: len(row)]


def pooled(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to ``values`` by weighted squares (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return [value for value, _, count in blocks for _ in range(count)]


def _spans(work: _Work, gap: float) -> Iterator[tuple[float, float]]:
    begin = 0.0
    for row in work.rows:
        end = begin + max((work.boxes[name].along for name in row), default=0.0)
        yield begin, end
        begin = end + gap
