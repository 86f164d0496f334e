import numpy as np
import pytest
from own_rooms import room_points as room

from m2ae_mm.datasets.scene_geometry import (
    TO_Z_UP,
    doubts,
    end_coverage,
    find_unit_scale,
    find_up_axis,
    scene_sides,
    to_metres_z_up,
)


def recorded(xyz, unit_scale, up_axis):
    """The room as a file in another unit and frame holds it."""
    return xyz @ TO_Z_UP[up_axis] / unit_scale


@pytest.mark.parametrize('up', TO_Z_UP)
def test_the_floor_tells_which_axis_points_up(up):
    for scale in (1, 0.001):
        scan = recorded(room(), scale, up)
        assert find_up_axis(scan) == up
        np.testing.assert_allclose(to_metres_z_up(scan, scale, up), room(), atol=1e-9)
        assert ('up' in doubts(scan.astype(np.float32))) == (up != 'z')
    assert find_up_axis(room(ceiling=True)) is None  # floor or ceiling?
    assert doubts(room(ceiling=True)) == {}


@pytest.mark.parametrize('up', TO_Z_UP)
def test_frames_are_turned_and_not_mirrored(up):
    assert np.linalg.det(TO_Z_UP[up]) == pytest.approx(1)
    axis = np.zeros(3)
    axis['xyz'.index(up[-1])] = -1 if up[0] == '-' else 1
    assert to_metres_z_up(axis[None], 0.5, up).tolist() == [[0, 0, 0.5]]


def test_coverage_of_floor_open_top_and_walls():
    cover = end_coverage(room(count=6000))
    assert cover['z'][0] > 0.9 and cover['z'][1] < 0.2
    assert min(cover['x']) > 0.6 and min(cover['y']) > 0.6


@pytest.mark.parametrize('scale, found', [(0.001, 0.001), (0.01, 0.01), (1, None), (1000, None)])
def test_millimetres_and_centimetres_show_in_the_sides(scale, found):
    scan = room() / scale
    np.testing.assert_allclose(scene_sides(scan) * scale, [5, 4, 2.5], rtol=0.02)
    assert find_unit_scale(scan) == found
    assert ('unit' in doubts(scan)) == (scale != 1)


def test_reflections_do_not_count_as_size():
    scan = np.vstack([room(), [[900, 0, 0], [0, 0, -900]]])
    assert doubts(scan) == {} and find_up_axis(scan) == 'z'


def test_a_tilted_camera_shows_no_floor_at_low_z():
    turn = np.deg2rad(25)
    tilted = recorded(room(), 1, '-y') @ np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)],
                                                   [0, np.sin(turn), np.cos(turn)]])
    walls = tilted[3000:]  # what it sees of the floor and the table
    assert 'no floor at low z' in doubts(walls)['up']


def test_scans_that_single_precision_blurs():
    assert doubts((room() + [500, 500, 0]).astype(np.float32)) == {}
    found = doubts((room() + [388096.25, 3948996.75, 40]).astype(np.float32))
    assert found['origin'] == 'it lies 3,949,001 from the origin, where single precision has steps of 0.25'


def test_few_points_and_none_are_not_judged():
    assert doubts(room()[:5]) == {} and doubts(np.empty((0, 3))) == {}
