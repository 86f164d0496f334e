"""Figures as files: which panel holds which colours, and messages."""
import numpy as np
import pytest
from PIL import Image

from m2ae_mm.visualization import detection_figure, detection_image, reconstructions_figure
from m2ae_mm.visualization.colours import wants_dark_ink
from m2ae_mm.visualization.figures import PREDICTED_COLOUR, TRUE_COLOUR, reconstruction_image
from m2ae_mm.visualization.text import save

NAMES = ('chair', 'table')
BOXES = np.array([[1.0, 1.0, 0.5, 1.0, 0.6, 1.0, 0.0], [3.0, 2.0, 0.4, 0.8, 0.8, 0.8, 0.5]])


def floor(count=3000):
    return np.random.default_rng(0).uniform((0, 0, 0), (4, 3, 0.01), (count, 3))


def pixels_like(image, colour, tolerance=25):
    return (np.abs(image.astype(int) - colour).max(axis=-1) <= tolerance).sum()


def test_true_boxes_left_predicted_right(tmp_path):
    path = detection_figure(floor(), BOXES, np.array([0, 1]), BOXES[:1], np.array([0]), np.array([0.9]), NAMES,
                            tmp_path / 'new' / 'figure.png')
    assert path == tmp_path / 'new' / 'figure.png'
    image = np.asarray(Image.open(path))
    left, right = np.split(image, 2, axis=1)
    assert pixels_like(left, TRUE_COLOUR) > 500 and pixels_like(left, PREDICTED_COLOUR) == 0
    assert pixels_like(right, PREDICTED_COLOUR) > 300 and pixels_like(right, TRUE_COLOUR) == 0


def test_panels_only_for_boxes_given():
    both = detection_image(floor(), BOXES, [0, 1], BOXES, [0, 1], [0.5, 0.6], NAMES)
    one = detection_image(floor(), None, None, BOXES, [0, 1], [0.5, 0.6], NAMES)
    none = detection_image(floor(), None, None, None, None, None, NAMES)
    assert both.shape[1] == 2 * one.shape[1] == 2 * none.shape[1]
    assert pixels_like(none, TRUE_COLOUR) == pixels_like(none, PREDICTED_COLOUR) == 0


def test_no_boxes_no_points():
    empty = np.zeros((0, 7))
    image = detection_image(np.zeros((0, 3)), empty, [], empty, [], [], NAMES)
    assert image.dtype == np.uint8
    assert detection_image(np.zeros((0, 3)), BOXES, [0, 1], empty, [], [], NAMES).shape == image.shape


def test_colours_of_the_points_are_used():
    red = np.concatenate([floor(), np.tile((200, 20, 20), (3000, 1))], axis=1)
    image = detection_image(red, None, None, None, None, None, NAMES)
    shown = image[(image < 250).any(axis=-1)]
    assert np.median(shown[:, 0]) > 3 * np.median(shown[:, 2])


def test_a_wild_box_does_not_shrink_the_room():
    wild = np.array([[500.0, 0, 0, 1, 1, 1, 0]])
    plain = detection_image(floor(), None, None, None, None, None, NAMES)
    image = detection_image(floor(), None, None, wild, [0], [0.4], NAMES)
    assert (image[100:] < 250).any(axis=-1).sum() > 0.9 * (plain[100:] < 250).any(axis=-1).sum()


def test_a_box_is_whole_where_the_opened_room_has_no_points():
    rng = np.random.default_rng(0)
    walls = [rng.uniform((0, 0, 1), end, (2000, 3)) for end in ((4, 0.05, 2), (0.05, 3, 2))]  # cut away in front
    room = np.concatenate([*walls, rng.uniform((2, 1.5, 0), (4, 3, 0.01), (3000, 3))])
    corner = np.array([[0.6, 0.6, 0.3, 1.0, 1.0, 0.6, 0.0]])
    image = detection_image(room, corner, [0], None, None, None, NAMES)
    shown = (np.abs(image.astype(int) - TRUE_COLOUR).max(axis=-1) <= 25)
    assert shown.sum() > 300 and not shown[-3:].any() and not shown[:, :3].any() and not shown[:, -3:].any()


def test_reconstruction_has_three_panels():
    rng = np.random.default_rng(0)
    sphere = rng.normal(size=(1500, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    seen = sphere[sphere[:, 2] > 0.5]
    panels = np.split(reconstruction_image(sphere, seen, sphere[sphere[:, 2] <= 0.5]).astype(int), 3, axis=1)
    blue = [((p[..., 2] - p[..., 0]) > 90).sum() for p in panels]
    shown = [(p[50:] < 240).any(axis=-1).sum() for p in panels]
    assert blue[0] == blue[1] == 0 and blue[2] > 10000
    assert shown[1] < 0.6 * shown[0] and shown[2] == pytest.approx(shown[0], rel=0.1)


def test_a_sheet_has_three_columns_a_shape_and_titles_once(tmp_path):
    cube = np.random.default_rng(0).uniform(-0.5, 0.5, (300, 3))
    sheet = np.asarray(Image.open(reconstructions_figure([(cube, cube[:100], cube[100:])] * 3, tmp_path / 'sheet.png')))
    assert sheet.shape == (48 + 2 * 300, 6 * 300, 3)
    blue = (sheet[..., 2].astype(int) - sheet[..., 0] > 90).reshape(len(sheet), 6, -1).sum(axis=(0, 2))
    assert (blue[[2, 5]] > 1000).all() and not blue[[0, 1, 3, 4]].any()
    assert blue[2] == 2 * blue[5]  # the place of a fourth shape is empty
    letters = (sheet == 40).all(axis=2).any(axis=1)
    assert letters[:48].any() and not letters[48:].any()


@pytest.mark.parametrize('call, message', [
    (lambda p: detection_figure(np.zeros((5, 2)), None, None, None, None, None, NAMES, p), r'\(N, 3 or 6\).*\(5, 2\)'),
    (lambda p: detection_figure(floor(), BOXES[:, :6], [0, 1], None, None, None, NAMES, p), r'\(N, 7\), got \(2, 6\)'),
    (lambda p: detection_figure(floor(), BOXES, [0], None, None, None, NAMES, p), 'equally many, got 2, 1'),
    (lambda p: detection_figure(floor(), None, None, None, None, None, NAMES, p.with_suffix('.what')), 'end it in'),
    (lambda p: reconstruction_image(np.zeros((0, 3)), floor(), floor()), 'points is empty')])
def test_messages(tmp_path, call, message):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / 'figure.png')


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='cannot write the picture'):
        save(np.zeros((2, 2, 3), np.uint8), tmp_path / 'file' / 'figure.png')


@pytest.mark.parametrize('colour, dark', [
    ((0, 255, 0), True), ((0, 230, 210), True), ((255, 165, 0), True), ((255, 255, 255), True),
    ((225, 0, 20), False), ((0, 90, 200), False), ((120, 20, 40), False), ((0, 0, 0), False)])
def test_letters_stand_out_on_any_ground(colour, dark):
    assert wants_dark_ink(colour) == dark
