"""Frames of scans: found from floor and extent, applied and undone."""
import numpy as np
import pytest
from own_rooms import room_points as room

from m2ae_mm.datasets.scan_frame import UNITS, ScanFrame, find_frame, scale_of
from m2ae_mm.datasets.scene_geometry import TO_Z_UP


def turned(xyz, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return xyz @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]).T


@pytest.mark.parametrize('ceiling', [False, True])
@pytest.mark.parametrize('up', TO_Z_UP)
def test_unit_up_axis_heading_and_place_are_found(up, ceiling):
    for unit, heading in (('m', 0.), ('cm', 0.3), ('mm', -0.5)):
        recorded = turned(room(ceiling=ceiling), heading) @ TO_Z_UP[up] / UNITS[unit] + [300, -7000, 20]
        frame = find_frame(recorded)
        assert (frame.unit, frame.up_axis) == (unit, up)
        assert frame.heading == pytest.approx(heading, abs=0.01)
        found = frame.apply(recorded)
        np.testing.assert_allclose(found.min(0), [-2.5, -2, 0], atol=0.08)
        np.testing.assert_allclose(found.max(0), [2.5, 2, 2.5], atol=0.08)
        np.testing.assert_allclose(frame.undo(found), recorded, atol=1e-6)


def test_boxes_go_there_and_back():
    rng = np.random.default_rng(1)
    boxes = np.hstack([rng.normal(size=(9, 3)), rng.uniform(0.2, 3, (9, 3)), rng.uniform(-3, 3, (9, 1))])
    for up in TO_Z_UP:
        frame = ScanFrame(0.001, up, np.array([1e6, 5, -3]), 0.7)
        np.testing.assert_allclose(frame.apply_to_boxes(frame.undo_boxes(boxes)), boxes, atol=1e-6)
    standing = ScanFrame(up_axis='y').undo_boxes(np.array([[1, 2, 3, 0.1, 0.2, 0.3, 0.5]]))  # x stays, z is y
    np.testing.assert_allclose(standing, [[1, 3, -2, 0.1, 0.3, 0.2, 0.5]])


def test_walls_that_are_nearly_straight_are_left_alone():
    assert find_frame(turned(room(), 0.012)).heading == 0
    assert find_frame(turned(room(), -0.08)).heading == pytest.approx(-0.08, abs=0.005)


def test_what_is_given_is_taken():
    frame = find_frame(room() / 0.3048, unit='ft', up='z', turn=False)
    assert frame.unit == 'ft' and frame.heading == 0
    np.testing.assert_allclose(np.ptp(frame.apply(room() / 0.3048), axis=0), [5, 4, 2.5], atol=0.01)
    assert find_frame(room(), up='-y').up_axis == '-y'
    assert scale_of('0.1') == 0.1
    for wrong in ('parsec', 0, -1, 'nan', 'inf'):
        with pytest.raises(ValueError, match='unit must be m, cm, mm'):
            scale_of(wrong)
    with pytest.raises(ValueError, match="up must be one of x, y, z.* got 'w'"):
        find_frame(room(), up='w')


BALL = np.random.default_rng(0).normal(size=(5000, 3))


@pytest.mark.parametrize('xyz, message', [
    (room()[:7], 'it has 7 points'),
    (np.ones((500, 3)), 'all of its points are in one place'),
    (room() * 10, r'it is [45]\S+ x [34]\S+ x 2\S+ large .* no room in metres'),
    (room() / 12, r'it is 0.4\d+ x 0.3\d+ x 0.2\d+ large'),
    (BALL / np.linalg.norm(BALL, axis=1, keepdims=True), 'it has no floor: the fullest layers cover'),
    ((room() + [4e5, 5.8e6, 0]).astype(np.float32), '5,800,00. from the origin in single precision'),
])
def test_what_can_be_no_room_is_refused(xyz, message):
    with pytest.raises(ValueError, match=message):
        find_frame(xyz)


def test_surveys_in_double_precision_keep_their_form():
    frame = find_frame(room() + [4e5, 5.8e6, 0])
    np.testing.assert_allclose(frame.apply(room() + [4e5, 5.8e6, 0]), find_frame(room()).apply(room()), atol=1e-6)


def test_reflections_and_noise_below_the_floor_move_nothing():
    stray = np.random.default_rng(2).normal(size=(40, 3)) * 30
    frame, clean = find_frame(np.vstack([room(), stray])), find_frame(room())
    np.testing.assert_allclose(frame.origin, clean.origin, atol=0.05)
