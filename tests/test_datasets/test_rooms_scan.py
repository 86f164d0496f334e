"""The depth camera of composed rooms: its limits, its errors and what it keeps, computed by hand."""
from dataclasses import replace

import numpy as np
import pytest

from m2ae_mm.datasets.rooms import scan, shapes
from m2ae_mm.datasets.rooms.kernels import FLOOR, NOTHING, see_pieces
from m2ae_mm.datasets.rooms.layout import Placed
from m2ae_mm.datasets.rooms.scan import Profile, camera_positions, scan_room
from m2ae_mm.datasets.rooms.shell import make_shell

CAMERA = np.array([0.6, 0.6, 1.5])


def empty_room(width=4.0, depth=3.0):
    return make_shell(np.random.default_rng(0), (width, width), (depth, depth), 0.0)


def block(*size):
    return shapes.block(np.random.default_rng(0), size, 'block', 4, 7)


def floor_points(monkeypatch, cameras=1, **errors):
    """Points on the floor seen by cameras at one place with these errors alone."""
    monkeypatch.setattr(scan, 'camera_positions', lambda *_: [CAMERA] * cameras)
    profile = Profile(**{**dict(cameras=(cameras, cameras), noise=0., noise_growth=0., drift=0., clutter=0.), **errors})
    placed = [Placed(block(0.3, 0.3, 0.3), np.array([3.8, 2.8, 0.0]))]
    points, seen = scan_room(empty_room(), placed, np.random.default_rng(0), profile, 10**6)
    return points[seen == FLOOR]


@pytest.mark.parametrize('errors, expected', [
    ({}, lambda distance: 0 * distance),
    (dict(noise=0.01), lambda distance: 0.01 + 0 * distance),
    (dict(noise_growth=0.001), lambda distance: 0.001 * distance**2),
    (dict(noise=0.004, noise_growth=0.001), lambda distance: 0.004 + 0.001 * distance**2),
])
def test_depth_is_noisier_far_away(monkeypatch, errors, expected):
    rays = floor_points(monkeypatch, **errors) - CAMERA
    found = np.linalg.norm(rays, axis=1)
    true = -CAMERA[2] * found / rays[:, 2]
    for low, high in ((1.5, 1.8), (2.0, 2.4), (3.0, 3.5)):
        near = (true > low) & (true < high)
        spread = np.sqrt(np.mean((found - true)[near]**2))
        assert spread == pytest.approx(np.sqrt(np.mean(expected(true[near])**2)), rel=0.06, abs=1e-9)


def test_every_view_is_misplaced_as_a_whole(monkeypatch):
    heights = np.unique(np.round(floor_points(monkeypatch, cameras=12, drift=0.05)[:, 2], 9))
    assert len(heights) == 12
    assert np.sqrt(np.mean(heights**2)) == pytest.approx(0.05, rel=0.5)


def test_depths_from_40_centimetres_to_6_metres_come_back_unless_grazing():
    depth = np.array([0.39, 0.41, 5.99, 6.01, 1.0])
    seen = np.array([0, 0, FLOOR, 0, NOTHING])
    rays = np.eye(5, 3)
    kept, range_, what = scan._recorded(rays[None], depth[None], seen[None], np.ones((1, 5)), np.random.default_rng(0))
    assert range_.tolist() == [0.41, 5.99] and what.tolist() == [0, FLOOR] and np.array_equal(kept, rays[1:3])


@pytest.mark.parametrize('facing, share', [(0.06, 0), (0.09, 0.25), (0.12, 0.5), (0.15, 0.75), (0.18, 1)])
def test_grazing_views_are_lost_gradually(facing, share):
    pixels = (1, 4000)
    found = scan._recorded(np.zeros((*pixels, 3)), np.ones(pixels), np.zeros(pixels, np.int64), np.full(pixels, facing),
                           np.random.default_rng(0))
    assert len(found[2]) / 4000 == pytest.approx(share, abs=0.03)


def test_one_point_in_25_of_glass_is_seen():
    pane = block(2.0, 0.1, 2.0)
    glass = np.arange(len(pane.points)) % 2 == 0
    surface = scan._surface([Placed(replace(pane, glass=glass), np.zeros(3))], np.random.default_rng(0))
    transparent = glass.sum()
    assert (len(surface[0]) - (~glass).sum()) / transparent == pytest.approx(0.04, abs=0.01)


def test_cameras_are_far_from_each_other():
    for seed in range(10):
        one, other = camera_positions(empty_room(10.0, 2.0), [], np.random.default_rng(seed), 2)
        assert np.linalg.norm(one - other) > 4.2  # from anywhere in 0.25..9.75 m, an end is 4.75 m away or more


def test_far_points_are_rare_in_a_view_and_chosen_more_often():
    range_ = np.repeat([1.0, 4.0], 20_000)
    chosen = scan._choose(range_, 2000, np.random.default_rng(0))
    near, far = (np.sum(range_[chosen] == distance) for distance in (1.0, 4.0))
    assert far / near == pytest.approx(4**1.3, rel=0.2)  # the few that are chosen hardly change what is left
    assert sorted(scan._choose(range_[:50], 50, np.random.default_rng(0))) == list(range(50))


@pytest.mark.parametrize('turn, front, half', [(90.0, 1.9, 0.3), (0.0, 1.7, 0.1)])
def test_discs_are_cut_at_the_box_and_know_how_they_are_seen(turn, front, half):
    """One disc that would cover all the view, on the side of a box of 0.6 x 0.2 x 1.5 m at 2 m.

    On the left something stands in front of it.
    """
    step = np.deg2rad(0.5)
    elevation, azimuth = np.deg2rad(40) - (np.arange(240) + 0.5) * step, (np.arange(720) + 0.5) * step - np.pi
    rays = np.stack([np.cos(elevation)[:, None] * np.cos(azimuth), np.cos(elevation)[:, None] * np.sin(azimuth),
                     np.repeat(np.sin(elevation)[:, None], 720, 1)], axis=2)
    range_, facing = np.full((240, 720), 9.0), np.zeros((240, 720))
    range_[:, azimuth > 0] = 1.0
    seen, before = np.full((240, 720), NOTHING), range_.copy()
    placed = Placed(block(0.6, 0.2, 1.5), np.array([2.0, 0.0, 0.1]), turn)
    see_pieces(np.array([0., 0., 1.]), rays, np.deg2rad(40), step, np.array([[front, 0., 1.]]),
               np.array([[-1., 0., 0.]]), np.array([3.0]), np.zeros(1, np.int64), placed.position[None],
               placed.rotation[:, 0][None], placed.piece.size[None], range_, seen, facing)
    with np.errstate(divide='ignore'):
        distance = np.where(rays[..., 0] > 0, front / rays[..., 0], 99)
    across, height = distance * rays[..., 1], 1 + distance * rays[..., 2]
    inside = (np.abs(across) <= half + 0.005) & (height >= 0.1 - 0.005) & (height <= 1.6 + 0.005) & (distance < before)
    assert inside.sum() > 300 and np.array_equal(seen == 0, inside)
    assert np.array_equal(range_[~inside], before[~inside]) and not facing[~inside].any()
    np.testing.assert_allclose(range_[inside], distance[inside])
    np.testing.assert_allclose(facing[inside], rays[..., 0][inside])
