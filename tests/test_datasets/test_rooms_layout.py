"""Where things of a composed room stand, computed by hand."""
from dataclasses import replace

import numpy as np
import pytest

from m2ae_mm.datasets.rooms import shapes
from m2ae_mm.datasets.rooms.layout import Layout, Placed
from m2ae_mm.datasets.rooms.programs import PROGRAMS
from m2ae_mm.datasets.rooms.shell import make_shell


def block(*size):
    return shapes.block(np.random.default_rng(0), size, 'block', 4, 7)


def layout(width=4.0, depth=4.0):
    rng = np.random.default_rng(0)
    return Layout(make_shell(rng, (width, width), (depth, depth), 0.0), rng)


def test_things_stand_on_the_top_of_what_hangs_on_a_wall():
    room = layout()
    shelf = room.put(Placed(block(1.0, 0.5, 0.3), np.array([2.0, 1.0, 1.2]), 90.0))
    vase = room.on_top(block(0.2, 0.1, 0.4), shelf, 0.0)
    assert vase.bounds[2] == shelf.bounds[5] == 1.5
    assert (vase.bounds[:2] >= shelf.bounds[:2]).all() and (vase.bounds[3:5] <= shelf.bounds[3:5]).all()


@pytest.mark.parametrize('top, stands', [(0.7, True), (0.681, True), (0.679, False), (0.4, False), (-1.0, False)])
def test_nothing_stands_inside_the_box_of_its_support(top, stands):
    room = layout()
    chair = room.put(Placed(replace(block(0.6, 0.6, 0.7), top=top), np.array([2.0, 2.0, 0.0])))
    assert (room.on_top(block(0.2, 0.2, 0.2), chair, 0.0) is not None) == stands
    assert room.on_top(None, chair, 0.0) is None


def test_what_is_wider_than_its_support_is_left_out():
    room = layout()
    table = room.put(Placed(block(0.6, 0.6, 0.7), np.array([2.0, 2.0, 0.0])))
    assert room.on_top(block(0.7, 0.2, 0.2), table, 0.0) is None
    assert room.on_top(block(0.7, 0.2, 0.2), table, 90.0) is None


def test_walls_are_drawn_by_their_length():
    room = layout(8.0, 2.0)
    lengths = np.array([room.random_wall().length for _ in range(1000)])
    assert (lengths == 8).mean() == pytest.approx(0.8, abs=0.04)  # 16 of 20 metres


@pytest.mark.parametrize('name, width, depth, notched', [
    ('bathroom', (1.9, 3.2), (1.8, 2.8), 0.0),
    ('classroom', (5.5, 8.0), (4.8, 6.5), 0.0),
    ('studio', (4.5, 6.5), (4.0, 5.5), 0.3),
])
def test_rooms_are_as_large_as_their_kind(name, width, depth, notched):
    rng = np.random.default_rng(0)
    shells = [make_shell(rng, *PROGRAMS[name][1:]) for _ in range(400)]
    for sides, (low, high) in (([s.width for s in shells], width), ([s.depth for s in shells], depth)):
        assert (min(sides), max(sides)) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
    assert np.mean([shell.notch is not None for shell in shells]) == pytest.approx(notched, abs=0.06)
