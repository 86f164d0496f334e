"""Projection, covering and box edges against values worked out by hand."""
import numpy as np
import pytest
import torch

from m2ae_mm.visualization.camera import Camera, fit_camera
from m2ae_mm.visualization.render import blank, box_corners, draw_boxes, draw_points, open_front
from mmdet3d.structures import DepthInstance3DBoxes

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
# Seen from -y: x to the right, z up, y into the picture; 10 pixels per metre, origin at column 50, row 50.
FRONT = Camera(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), np.zeros(3), 10.0, (100, 100))


def test_projection_by_hand():
    pixels, depth = FRONT.project(np.array([[1.0, 2.0, 3.0], [-2.0, 0.0, 0.0]]))
    np.testing.assert_allclose(pixels, [[60, 20], [30, 50]])
    np.testing.assert_allclose(depth, [2, 0])


def test_camera_looks_from_its_azimuth_and_shows_everything():
    camera = fit_camera(np.array([[0, 0, 0], [1, 2, 3.0]]), (200, 300), azimuth=270.0, elevation=0.0)
    np.testing.assert_allclose(camera.axes, FRONT.axes, atol=1e-12)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)) * (3, 1, 0.5) + (10, -4, 2)
    pixels, _ = fit_camera(points, (200, 300)).project(points)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    assert (low >= (12 - 1e-6, 8 - 1e-6)).all() and (high <= (288 + 1e-6, 192 + 1e-6)).all()
    # One direction is filled up to the border.
    assert max((high - low) / (276, 184)) == pytest.approx(1.0)


def test_no_points_to_fit():
    with pytest.raises(ValueError, match='got none'):
        fit_camera(np.zeros((0, 3)), (10, 10))


def test_near_points_cover_far_ones():
    canvas = blank((100, 100))
    draw_points(canvas, FRONT, np.array([[0, -1.0, 0], [0.1, 1.0, 0]]), np.array([RED, BLUE]), radius=2)
    assert tuple(canvas.pixels()[50, 50]) == RED
    assert tuple(canvas.pixels()[50, 53]) == BLUE
    assert tuple(canvas.pixels()[20, 20]) == (255, 255, 255)
    draw_points(canvas, FRONT, np.array([[0, 0.0, 0]]), np.array([GREEN]), radius=1)
    assert tuple(canvas.pixels()[50, 50]) == RED


def test_discs_over_the_border_are_cut():
    canvas = blank((100, 100))
    draw_points(canvas, FRONT, np.array([[-5.1, 0, 0], [4.9, 0, 5.05], [40.0, 0, 0]]), np.array([RED, BLUE, GREEN]), 3)
    image = canvas.pixels()
    assert tuple(image[50, 0]) == tuple(image[52, 1]) == RED
    assert tuple(image[0, 99]) == BLUE
    assert tuple(image[50, 99]) == (255, 255, 255)
    assert ((image != 255).any(axis=-1)).sum() < 40


def test_box_edges_are_where_they_belong():
    canvas = blank((100, 100))
    draw_boxes(canvas, FRONT, np.array([[0, 0, 1.0, 2.0, 1.0, 2.0, 0.0]]), RED, width=1)
    image = canvas.pixels()
    # x from -1 to 1 and z from 0 to 2: columns 40 to 60, rows 50 to 30.
    assert tuple(image[30, 40]) == tuple(image[50, 60]) == tuple(image[40, 40]) == RED
    assert tuple(image[40, 50]) == tuple(image[55, 60]) == (255, 255, 255)


def test_hidden_edges_are_faint():
    canvas = blank((100, 100))
    draw_points(canvas, FRONT, np.array([[-1.0, -3.0, 1.0]]), np.array([BLUE]), radius=3)
    draw_boxes(canvas, FRONT, np.array([[0, 0, 1.0, 2.0, 1.0, 2.0, 0.0]]), RED, width=1)
    assert tuple(canvas.pixels()[40, 60]) == RED
    red, _, blue = canvas.pixels()[40, 40]
    # All four edges that coincide here are behind the point: 30 % each, front and back face.
    assert 70 < red < 160 and blue > 90


def test_corners_agree_with_mmdet3d():
    boxes = np.array([[1.0, 2.0, 0.5, 2.0, 1.0, 0.6, 0.4], [0, 0, 0, 1, 2, 3, -1.1]])
    theirs = DepthInstance3DBoxes(torch.tensor(boxes), origin=(0.5, 0.5, 0.5)).corners.numpy()
    for own, other in zip(box_corners(boxes), theirs):
        distance = np.linalg.norm(own[:, None] - other[None], axis=2)
        assert distance.min(axis=1).max() < 1e-5


def test_rooms_are_opened_on_the_cameras_side():
    rng = np.random.default_rng(0)
    along, up = rng.uniform(0, 4, 4000), rng.uniform(0.3, 2.2, 4000)
    near = np.stack([along, np.zeros(4000), up], axis=1)
    far = near + (0, 3, 0)
    floor = rng.uniform((0, 0, 0), (4, 3, 0.01), (8000, 3))
    ceiling = floor + (0, 0, 2.5)
    kept = open_front(np.concatenate([near, far, floor, ceiling]), azimuth=270.0)
    near, far, floor, ceiling = kept[:4000], kept[4000:8000], kept[8000:16000], kept[16000:]
    assert not near.any() and not ceiling.any()
    assert far.all() and floor.all()
