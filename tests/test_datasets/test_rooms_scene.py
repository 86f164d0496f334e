"""Composed rooms: layout, ray casting, masks and boxes."""
from dataclasses import replace

import numpy as np
import pytest

from m2ae_mm.datasets.rooms import scene as scene_module
from m2ae_mm.datasets.rooms import shapes
from m2ae_mm.datasets.rooms.colours import colours
from m2ae_mm.datasets.rooms.furniture import CLASS_NYU40, CLASSES, OTHER, load_furniture
from m2ae_mm.datasets.rooms.kernels import FIRST_WALL, FLOOR, NOTHING, see_shell
from m2ae_mm.datasets.rooms.layout import Layout, Placed, overlap
from m2ae_mm.datasets.rooms.programs import CYCLE, PROGRAMS, furnish
from m2ae_mm.datasets.rooms.scan import PROFILES, scan_room
from m2ae_mm.datasets.rooms.scene import MIN_POINTS, compose_scene
from m2ae_mm.datasets.rooms.shell import make_shell

TABLE = CLASSES.index('table')


def empty_room(width=4.0, depth=3.0):
    return make_shell(np.random.default_rng(0), (width, width), (depth, depth), 0.0)


def table_block(size=(0.8, 0.5, 0.7)):
    return shapes.block(np.random.default_rng(0), size, 'block', TABLE, 7)


@pytest.fixture(scope='module')
def scenes():
    return [compose_scene('train', index, seed=3) for index in range(7)]


@pytest.mark.parametrize('clutter', [1.0, 2.5])
def test_nothing_overlaps_and_all_is_inside(clutter):
    for index in range(36):
        shell, placed = furnish(CYCLE[index % len(CYCLE)], np.random.default_rng(index), load_furniture(), 'train',
                                clutter)
        for i, one in enumerate(placed):
            assert not any(overlap(one.bounds, other.bounds) for other in placed[:i]), (index, one.piece.kind)
            if one.piece.kind not in ('door', 'exterior door', 'window'):
                assert shell.contains(*one.bounds[[0, 1, 3, 4]]), (index, one.piece.kind)
                assert one.bounds[2] >= -1e-9 and one.bounds[5] <= shell.height + 1e-5


def test_notch_of_an_l_shaped_room_stays_empty():
    shell = make_shell(np.random.default_rng(1), (5, 5), (4, 4), 1.0)
    x0, y0, x1, y1 = shell.notch
    assert not shell.contains(x0 + 0.1, y0 + 0.1, x0 + 0.2, y0 + 0.2)
    assert shell.contains(x0 - 0.2, y1 - 0.2, x0, y1)
    assert shell.area == pytest.approx(20 - (x1 - x0) * (y1 - y0))
    assert sum(wall.length for wall in shell.walls) == pytest.approx(2 * (5 + 4))


def test_backs_are_to_the_wall():
    layout = Layout(empty_room(), np.random.default_rng(0))
    for wall in layout.shell.walls:
        placed = layout.at_wall(table_block(), wall, (wall.low + wall.high) / 2)
        # The front looks away from the wall, the back touches it.
        front = placed.ahead(placed.piece.size[1] / 2)
        assert abs(front[wall.axis] - wall.at) == pytest.approx(0.5)
        assert min(abs(placed.bounds[wall.axis] - wall.at), abs(placed.bounds[3 + wall.axis] - wall.at)) < 1e-12


def test_chairs_face_their_table():
    found = 0
    for index in range(30):
        _, placed = furnish('kitchen', np.random.default_rng(index), load_furniture(), 'train', 1.0)
        tables = [p for p in placed if p.piece.kind == 'dining table']
        for chair in (p for p in placed if p.piece.label == CLASSES.index('chair')):
            if tables:
                found += 1
                middle = tables[0].position[:2]
                before, behind = chair.ahead(0.3), chair.ahead(-0.3)
                assert np.linalg.norm(before - middle) < np.linalg.norm(behind - middle)
    assert found > 10


def test_box_of_a_slanted_piece_is_its_surface():
    placed = Placed(table_block((1.0, 1.0, 0.5)), np.array([2.0, 2.0, 0.0]), 45.0)
    np.testing.assert_allclose(placed.bounds[3] - placed.bounds[0], np.sqrt(2), atol=0.03)
    assert placed.points[:, 0].max() == placed.bounds[3]


def cast(rays, holes=()):
    holes = np.array(holes, dtype=float).reshape(-1, 4)
    shell = empty_room()
    walls = np.array([(w.axis, w.at, w.low, w.high) for w in shell.walls])
    rays = np.asarray(rays, dtype=float).reshape(1, -1, 3)
    range_, seen = np.empty(rays.shape[:2]), np.empty(rays.shape[:2], dtype=np.int64)
    facing, camera = np.zeros(rays.shape[:2]), np.array([1.0, 1.0, 1.5])
    see_shell(camera, rays, walls, holes, np.ones(len(holes), dtype=np.int64), shell.height, range_, seen, facing)
    return camera, rays, range_, seen, facing


def test_walls_and_floor_are_where_they_are():
    slant = np.array([3.0, 0.0, -1.5]) / np.sqrt(11.25)
    _, _, range_, seen, facing = cast([[1, 0, 0], [0, -1, 0], [0, 0, -1], [0, 0, 1], slant])
    np.testing.assert_allclose(range_[0, :3], [3.0, 1.0, 1.5])
    assert seen[0, :4].tolist() == [FIRST_WALL - 1, FIRST_WALL, FLOOR, NOTHING]
    assert range_[0, 4] == pytest.approx(np.sqrt(11.25))
    assert facing[0, 0] == 1


def test_openings_let_the_view_out():
    _, _, _, seen, _ = cast([[1, 0, 0]], holes=[(0.5, 1.5, 1.0, 2.0)])
    assert seen[0, 0] == NOTHING
    _, _, _, seen, _ = cast([[1, 0, 0]], holes=[(1.5, 2.5, 1.0, 2.0)])
    assert seen[0, 0] == FIRST_WALL - 1


def test_box_is_tight_around_an_unoccluded_piece():
    shell, profile = empty_room(4.0, 4.0), replace(PROFILES['normal'], cameras=(6, 6))
    placed = [Placed(table_block(), np.array([2.0, 2.0, 0.0]), 90.0)]
    points, seen = scan_room(shell, placed, np.random.default_rng(0), profile, 200000)
    own = points[seen == 0]
    assert len(own) > 500
    np.testing.assert_allclose(np.percentile(own, 1, axis=0)[:2], [1.75, 1.6], atol=0.02)
    np.testing.assert_allclose(np.percentile(own, 99, axis=0), [2.25, 2.4, 0.7], atol=0.02)


def test_boxes_hold_their_instances(scenes):
    for scene in scenes:
        for box, instance in zip(scene.boxes, scene.box_instance):
            own = scene.points[scene.instance == instance, :3]
            assert len(own) >= MIN_POINTS
            # Noise carries points over the sides, by no more than a few centimetres.
            assert (np.abs(own - box[:3]) <= box[3:] / 2 + 0.04).all(axis=1).mean() > 0.97


def test_masks_agree_with_boxes(scenes):
    for scene in scenes:
        boxed = dict(zip(scene.box_instance.tolist(), scene.labels.tolist()))
        assert scene.semantic.min() >= 0 and scene.semantic.max() <= 40
        for instance in np.unique(scene.instance)[1:]:
            ids = np.unique(scene.semantic[scene.instance == instance])
            assert len(ids) == 1
            if instance in boxed:
                assert ids[0] == CLASS_NYU40[boxed[instance]]
            else:
                assert ids[0] not in CLASS_NYU40
        assert set(np.unique(scene.semantic[scene.instance == 0])) <= {0, 1, 2}


def test_floor_is_at_zero_and_counts_are_kept(scenes):
    for scene in scenes:
        assert scene.points.shape == (20000, 6) and scene.points.dtype == np.float32
        assert abs(np.median(scene.points[scene.semantic == 2, 2])) < 0.005
        assert scene.points[:, 3:].min() >= 0 and 100 < scene.points[:, 3:].max() <= 255


def test_a_few_rooms_show_every_class():
    labels = [p.piece.label for split in ('train', 'val') for index in range(24)
              for p in furnish(CYCLE[index % 12], np.random.default_rng([index, 5]), load_furniture(), split, 1.0)[1]]
    assert set(range(len(CLASSES))) <= set(labels)
    assert set(CYCLE) == set(PROGRAMS)


def test_same_arguments_same_room(scenes):
    again = compose_scene('train', 4, seed=3)
    assert again.points.tobytes() == scenes[4].points.tobytes()
    assert again.boxes.tobytes() == scenes[4].boxes.tobytes()
    for other in (compose_scene('train', 4, seed=4), compose_scene('val', 4, seed=3)):
        assert other.points.tobytes() != again.points.tobytes()


def test_hard_rooms_are_noisier_and_seen_less():
    normal, hard = (compose_scene('train', 1, seed=3, profile=name) for name in ('normal', 'hard'))
    spread = [np.std(s.points[s.semantic == 2, 2]) for s in (normal, hard)]
    assert spread[1] > 1.5 * spread[0]
    assert PROFILES['hard'].cameras == (1, 2)


def test_fifteen_points_make_a_box_and_fourteen_none(monkeypatch):
    placed = [Placed(table_block(), np.array([x, 1.0, 0.0])) for x in (1.0, 3.0)]
    seen = np.repeat([0, 1, FLOOR, FIRST_WALL], [14, 15, 5, 4])
    monkeypatch.setattr(scene_module, 'furnish', lambda *_: (empty_room(), placed))
    monkeypatch.setattr(scene_module, 'scan_room', lambda *_: (np.zeros((len(seen), 3)), seen))
    scene = compose_scene('train', 0)
    np.testing.assert_allclose(scene.boxes, [[3.0, 1.0, 0.35, 0.8, 0.5, 0.7]])
    assert scene.labels.tolist() == [TABLE] and scene.box_instance.tolist() == [1]
    assert scene.instance.tolist() == [0] * 14 + [1] * 15 + [0] * 9
    assert scene.semantic.tolist() == [0] * 14 + [7] * 15 + [2] * 5 + [1] * 4


def test_walls_share_a_light_colour_that_neither_floor_nor_plants_have():
    plant = shapes.block(np.random.default_rng(0), (0.3, 0.3, 0.3), 'potted plant', OTHER, 40)
    seen = np.repeat([0, FLOOR, FIRST_WALL, FIRST_WALL - 1], 400)
    for seed in range(20):
        rgb = colours([Placed(plant, np.zeros(3))], 2, seen, np.random.default_rng(seed))
        green, floor, one, other = rgb.reshape(4, 400, 3).mean(axis=1)
        assert green.argmax() == 1
        assert np.ptp(one / other) < 0.03 and 0.88 < (one / other).mean() < 1.13
        assert np.ptp(floor / one) > 0.04 and min(one.min(), other.min()) > 165
