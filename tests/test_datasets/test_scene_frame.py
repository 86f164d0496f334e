import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from scenes import box_scene, write_layout

from m2ae_mm.datasets.scene_geometry import TO_Z_UP
from m2ae_mm.datasets.transforms import scene_frame
from mmdet3d.registry import DATASETS, TRANSFORMS
from mmdet3d.structures import DepthInstance3DBoxes
from mmdet3d.structures.points import DepthPoints

BOXES = [[1, 2, 0.5, 0.4, 0.8, 1, 0.3], [3, 1, 0.4, 2, 1, 0.8, -1.2]]


@pytest.fixture(autouse=True)
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr(scene_frame, '_said', set())
    monkeypatch.setattr(scene_frame, 'print_log', lambda text, *rest: lines.append(text))
    return lines


def recorded(scale, up):
    """A box as a file in another unit and frame has it: turned centres, sides along its axes, yaw about its up axis."""
    boxes = np.array(BOXES)
    sides = np.abs(TO_Z_UP[up]).argmax(0)
    return np.hstack([boxes[:, :3] @ TO_Z_UP[up] / scale, boxes[:, 3:6][:, sides] / scale, boxes[:, 6:]])


def depth_boxes(array, **options):
    return DepthInstance3DBoxes(array, box_dim=array.shape[1], origin=(0.5, 0.5, 0.5), **options)


@pytest.mark.parametrize('up', TO_Z_UP)
@pytest.mark.parametrize('scale', [1, 0.001])
def test_boxes_and_points_come_back_to_metres_with_z_up(scale, up):
    points = np.random.default_rng(0).random((50, 3)) * 3
    boxes = depth_boxes(recorded(scale, up))
    file = torch.from_numpy(points @ TO_Z_UP[up] / scale).float()
    results = dict(points=DepthPoints(file), gt_bboxes_3d=boxes, eval_ann_info=dict(gt_bboxes_3d=boxes.clone()))
    results = TRANSFORMS.build(dict(type='M2AESceneFrame', unit_scale=scale, up_axis=up))(results)
    np.testing.assert_allclose(results['points'].tensor, points, atol=1e-6)
    for found in (results['gt_bboxes_3d'], results['eval_ann_info']['gt_bboxes_3d']):
        np.testing.assert_allclose(torch.hstack([found.gravity_center, found.dims, found.yaw[:, None]]), BOXES,
                                   atol=1e-6)
        assert found.with_yaw and type(found) is DepthInstance3DBoxes


def test_boxes_hold_the_points_they_held(logged):
    """Corners of a turned box are on it before and after, so yaw follows the frame."""
    for up in TO_Z_UP:
        corners = depth_boxes(np.array(BOXES)).corners[0]
        file = corners.double().numpy() @ TO_Z_UP[up] * 1000
        boxes = depth_boxes(recorded(0.001, up))
        results = dict(points=DepthPoints(torch.from_numpy(file).float()), gt_bboxes_3d=boxes)
        results = TRANSFORMS.build(dict(type='M2AESceneFrame', unit_scale=0.001, up_axis=up))(results)
        np.testing.assert_allclose(results['gt_bboxes_3d'].corners[0], results['points'].tensor, atol=1e-5)


def test_axis_aligned_and_no_boxes():
    boxes = recorded(0.001, 'y')[:, :6]
    for count in (2, 0):
        results = dict(points=DepthPoints(torch.zeros(4, 3)), gt_bboxes_3d=depth_boxes(boxes[:count], with_yaw=False))
        found = TRANSFORMS.build(dict(type='M2AESceneFrame', unit_scale=0.001, up_axis='y'))(results)['gt_bboxes_3d']
        assert len(found) == count and not found.with_yaw
        np.testing.assert_allclose(found.gravity_center, np.array(BOXES)[:count, :3], atol=1e-6)
        np.testing.assert_allclose(found.dims, np.array(BOXES)[:count, 3:6], atol=1e-6)


def test_without_options_a_scene_stays_as_it_is():
    points = DepthPoints(torch.rand(50, 4), points_dim=4, attribute_dims=dict(height=3))
    boxes = depth_boxes(np.array(BOXES))
    results = TRANSFORMS.build(dict(type='M2AESceneFrame'))(dict(points=points, gt_bboxes_3d=boxes))
    assert results['points'] is points and results['gt_bboxes_3d'] is boxes


def test_heights_are_those_above_the_floor_that_z_has_afterwards():
    metres = torch.rand(500, 3) * torch.tensor([4, 4, 2.5])
    rows = torch.hstack([metres @ torch.tensor(TO_Z_UP['y']).float() * 1000, torch.full((500, 1), 7.), metres])
    points = DepthPoints(rows, points_dim=7, attribute_dims=dict(height=3, color=[4, 5, 6]))
    result = TRANSFORMS.build(dict(type='M2AESceneFrame', unit_scale=0.001, up_axis='y'))(dict(points=points))['points']
    np.testing.assert_allclose(result.height, metres[:, 2] - np.percentile(metres[:, 2], 0.99), atol=1e-5)
    np.testing.assert_allclose(result.color, metres, atol=1e-6)


def test_points_that_are_none_are_left_out_with_their_masks_and_said_once(logged):
    tensor = torch.rand(50, 4)
    tensor[[3, 7], [0, 2]] = torch.tensor([torch.nan, torch.inf])
    mask = np.arange(50)
    for _ in range(2):
        results = TRANSFORMS.build(dict(type='M2AESceneFrame'))(dict(
            points=DepthPoints(tensor, points_dim=4, attribute_dims=dict(height=3)), pts_instance_mask=mask,
            pts_semantic_mask=mask, lidar_points=dict(lidar_path='rooms/a.bin')))
    kept = np.delete(mask, [3, 7])
    assert np.array_equal(results['points'].tensor[:, :3], tensor[kept, :3])
    assert np.array_equal(results['pts_instance_mask'], kept) and np.array_equal(results['pts_semantic_mask'], kept)
    assert logged == ["'rooms/a.bin': 2 of 50 points hold NaN or infinite values and are left out, as are all others "
                      'like them.']


@pytest.mark.parametrize('points, message', [
    (torch.full((5, 3), torch.nan), "'rooms/a.bin': all 5 points hold NaN"), (torch.empty(0, 3), 'has no points'),
])
def test_scenes_without_points_are_refused_by_name(points, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type='M2AESceneFrame'))(
            dict(points=DepthPoints(points), lidar_points=dict(lidar_path='rooms/a.bin')))


@pytest.mark.parametrize('options, message', [
    (dict(unit_scale=0), 'more than 0 .* got 0'), (dict(unit_scale=-1.), 'got -1.0'),
    (dict(up_axis='up'), "one of x, y, z, -x, -y, -z; got 'up'"),
])
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type='M2AESceneFrame', **options))


def test_a_strange_scene_is_said_once_with_the_options_that_correct_it(logged):
    points = box_scene(0, num_points=8000)['points'][:, :3]
    for _ in range(2):  # a test makes its pipeline anew for every scene
        step = TRANSFORMS.build(dict(type='M2AESceneFrame'))
        step(dict(points=DepthPoints(torch.from_numpy(points)), name='upright'))
        step(dict(points=DepthPoints(torch.from_numpy(points @ TO_Z_UP['y'] * 1000).float()), name='a.bin'))
    text, = logged
    assert text.startswith("'a.bin' does not look like a room in metres with z up: it is 4,9")
    assert 'its floor is where y is low, not at low z' in text
    assert text.endswith('Options of M2AESceneFrame in the pipeline: unit_scale=0.001, up_axis=y.')


def test_training_and_evaluation_of_mmdet3d_see_the_same_boxes(tmp_path):
    scene = box_scene(0)
    other = dict(scene, points=np.hstack([scene['points'][:, :3] @ TO_Z_UP['y'] * 1000, scene['points'][:, 3:]]).astype(
        np.float32), boxes=np.hstack([scene['boxes'][:, :3] @ TO_Z_UP['y'], scene['boxes'][:, [3, 5, 4]]]) * 1000)
    load = [dict(type='LoadPointsFromFile', coord_type='DEPTH', load_dim=6, use_dim=[0, 1, 2]),
            dict(type='GlobalAlignment', rotation_axis=2), dict(type='M2AESceneFrame')]
    boxes = [load[0], dict(type='LoadAnnotations3D'), *load[1:]]
    found = []
    for name, each in (('metres', scene), ('other', other)):
        root = write_layout(tmp_path / name, [each], [each])
        for split, steps in (('train', boxes), ('val', load)):
            if name == 'other':
                steps = [*steps[:-1], dict(steps[-1], unit_scale=0.001, up_axis='y')]
            with DefaultScope.overwrite_default_scope('mmdet3d'):
                data = DATASETS.build(dict(
                    type='ScanNetDataset', data_root=str(root), ann_file=f'scannet_infos_{split}.pkl', pipeline=[
                        *steps, dict(type='Pack3DDetInputs', keys=['points', *['gt_bboxes_3d'] * (split == 'train')])],
                    filter_empty_gt=False, test_mode=split == 'val'))
                sample = data[0]
            held = sample['data_samples']
            held = held.gt_instances_3d.bboxes_3d if split == 'train' else held.eval_ann_info['gt_bboxes_3d']
            found.append((sample['inputs']['points'], held.gravity_center, held.dims))
    for each in found:
        for one, expected in zip(each, found[0]):
            np.testing.assert_allclose(one, expected, atol=1e-5)
