"""One composed room: scan, masks and boxes."""
from dataclasses import dataclass

import numpy as np

from .colours import colours
from .furniture import OTHER, Split, load_furniture, semantic_id
from .programs import CYCLE, furnish
from .scan import FLOOR, PROFILES, scan_room

__all__ = ['Scene', 'compose_scene']

# Objects with fewer points get no box.
MIN_POINTS = 15
_NYU40_WALL, _NYU40_FLOOR = 1, 2
_SPLIT_SEED = {'train': 0, 'val': 1}


@dataclass(frozen=True)
class Scene:
    """A scanned room in metres, z up, floor at z = 0.

    Attributes:
        points: (N, 6) float32 x, y, z, r, g, b with colours in 0..255.
        instance: (N,) int64, 0 background, 1.. objects.
        semantic: (N,) int64 NYU40 ids, 0 not annotated.
        boxes: (M, 6) float64 centre and side lengths of the objects' full surface.
        labels: (M,) int64 in 0..17.
        box_instance: (M,) int64, the instance id of each box.
        kind: Type of room.
        items: Credit ids of the furniture in it, without procedural pieces.
    """
    points: np.ndarray
    instance: np.ndarray
    semantic: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    box_instance: np.ndarray
    kind: str
    items: tuple[str, ...]


def compose_scene(split: Split, index: int, seed: int = 0, points: int = 20000, profile: str = 'normal') -> Scene:
    """Compose and scan a room. Equal arguments give equal rooms.

    Args:
        split: ``'train'`` or ``'val'``: they use different furniture.
        index: Number of the room in its split.
        seed: Of the whole data set, >= 0.
        points: Most points to keep.
        profile: A key of ``PROFILES``.
    """
    rng = np.random.default_rng([seed, _SPLIT_SEED[split], index])
    settings = PROFILES[profile]
    kind = CYCLE[index % len(CYCLE)]
    shell, placed = furnish(kind, rng, load_furniture(), split, settings.clutter)
    xyz, seen = scan_room(shell, placed, rng, settings, points)
    rgb = colours(placed, len(shell.walls), seen, rng)

    visible = np.bincount(seen[seen >= 0], minlength=len(placed))
    ids = np.zeros(len(placed), dtype=np.int64)
    annotated = np.flatnonzero(visible >= MIN_POINTS)
    ids[annotated] = np.arange(1, len(annotated) + 1)
    # Pieces seen too little get no box and no masks, so that all three agree.
    nyu40 = np.array([semantic_id(p.piece.label, p.piece.nyu40) for p in placed]) * (ids > 0)
    on_piece = seen >= 0
    semantic = np.where(seen == FLOOR, _NYU40_FLOOR, _NYU40_WALL)
    semantic[on_piece] = nyu40[seen[on_piece]]
    instance = np.zeros(len(seen), dtype=np.int64)
    instance[on_piece] = ids[seen[on_piece]]

    boxed = [i for i in annotated if placed[i].piece.label != OTHER]
    bounds = np.array([placed[i].bounds for i in boxed]).reshape(-1, 6)
    return Scene(points=np.concatenate([xyz, rgb], axis=1).astype(np.float32), instance=instance,
                 semantic=semantic.astype(np.int64),
                 boxes=np.concatenate([(bounds[:, :3] + bounds[:, 3:]) / 2, bounds[:, 3:] - bounds[:, :3]], axis=1),
                 labels=np.array([placed[i].piece.label for i in boxed], dtype=np.int64), box_instance=ids[boxed],
                 kind=kind, items=tuple(sorted({p.piece.item for p in placed if p.piece.item})))
