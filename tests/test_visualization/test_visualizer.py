"""The visualizer through mmdet3d's own hook, without Open3D."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from PIL import Image

from m2ae_mm.visualization.boxes import shown_boxes
from m2ae_mm.visualization.figures import PREDICTED_COLOUR, TRUE_COLOUR
from mmdet3d.engine.hooks import Det3DVisualizationHook
from mmdet3d.registry import VISUALIZERS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample

CENTRE = (0.5, 0.5, 0.5)


@pytest.fixture
def visualizer(tmp_path):
    config = {'type': 'M2AELocalVisualizer', 'name': str(tmp_path),
              'vis_backends': [{'type': 'LocalVisBackend'}], 'save_dir': str(tmp_path)}
    made = VISUALIZERS.build(config)
    made.dataset_meta = {'classes': ('chair', 'table')}
    return made


@pytest.fixture
def sample(tmp_path):
    """A sample as test time leaves it; its file is turned by 90 degrees against the boxes."""
    points = np.random.default_rng(0).uniform((0, 0, 0, 0, 0, 0), (4, 3, 0.01, 255, 255, 255), (2000, 6))
    matrix = np.eye(4)
    matrix[:2, :2] = [[0, -1], [1, 0]]
    raw = points.copy()
    raw[:, :3] = points[:, :3] @ matrix[:3, :3]
    raw.astype(np.float32).tofile(tmp_path / 'room.bin')
    sample = Det3DDataSample(metainfo={'lidar_path': str(tmp_path / 'room.bin'), 'num_pts_feats': 6,
                                       'axis_align_matrix': matrix})
    boxes = torch.tensor([[1, 1, 0.5, 1, 0.6, 1, 0], [3, 2, 0.4, 0.8, 0.8, 0.8, 0]], dtype=torch.float32)
    sample.pred_instances_3d = InstanceData(bboxes_3d=DepthInstance3DBoxes(boxes, origin=CENTRE),
                                            scores_3d=torch.tensor([0.9, 0.1]), labels_3d=torch.tensor([0, 1]))
    sample.eval_ann_info = {'gt_bboxes_3d': DepthInstance3DBoxes(boxes, origin=CENTRE),
                            'gt_labels_3d': np.array([0, 1])}
    return sample


def count(image, colour):
    return (np.abs(image.astype(int) - colour).max(axis=-1) <= 25).sum()


def test_every_process_draws_its_samples_into_files(visualizer, sample, tmp_path, monkeypatch):
    monkeypatch.setattr('m2ae_mm.visualization.visualizer.is_main_process', lambda: False)
    points = dict(points=torch.zeros(10, 3))
    visualizer.add_datasample('a', points, sample, vis_task='lidar_det', out_file=str(tmp_path / 'own.png'))
    assert (tmp_path / 'own.png').is_file()
    monkeypatch.setattr(visualizer, 'add_image', lambda *_: pytest.fail('the backends are those of the first process'))
    visualizer.add_datasample('a', points, sample, vis_task='lidar_det')


def test_hook_writes_a_picture_per_sample(visualizer, sample, tmp_path, monkeypatch):
    monkeypatch.setattr('mmdet3d.engine.hooks.visualization_hook.Visualizer.get_current_instance', lambda: visualizer)
    hook = Det3DVisualizationHook(draw=True, vis_task='lidar_det', test_out_dir='pictures', draw_gt=True)
    runner = SimpleNamespace(work_dir=str(tmp_path), timestamp='now')
    hook.after_test_iter(runner, 0, {}, [sample])
    left, right = np.split(np.asarray(Image.open(tmp_path / 'now' / 'pictures' / 'room.png')), 2, axis=1)
    assert count(left, TRUE_COLOUR) > 300 and count(right, PREDICTED_COLOUR) > 200
    # One of two predictions is below the threshold.
    assert count(right, PREDICTED_COLOUR) < 0.8 * count(left, TRUE_COLOUR)
    assert not hasattr(visualizer, 'o3d_vis')


def test_one_box_a_thing(sample):
    """Of overlapping boxes, whatever their classes, the best is drawn; those apart stay."""
    boxes = torch.tensor([[1, 1, .5, 1, 1, 1, 0], [1.1, 1, .5, 1, 1, 1, 0], [1.8, 1, .5, 1, 1, 1, 0]],
                         dtype=torch.float32)
    sample.pred_instances_3d = InstanceData(bboxes_3d=DepthInstance3DBoxes(boxes, origin=CENTRE),
                                            scores_3d=torch.tensor([0.6, 0.8, 0.4]), labels_3d=torch.tensor([0, 1, 0]))
    found, labels, scores = shown_boxes(sample, 0.3)
    assert labels.tolist() == [1, 0] and scores.tolist() == pytest.approx([0.8, 0.4])
    np.testing.assert_allclose(found[:, 0], [1.1, 1.8], rtol=1e-6)
    assert [len(each) for each in shown_boxes(sample, 0.9)] == [0, 0, 0]


def test_a_part_of_a_thing_is_no_second_thing(sample):
    """A box inside one of its class is not drawn; one inside that of another class is, like a chair under a table."""
    boxes = torch.tensor([[1, 1, .5, 2, 2, 1, 0], [1, 1, .5, .6, .6, 1, 0], [.4, .4, .5, .6, .6, 1, 0]],
                         dtype=torch.float32)
    sample.pred_instances_3d = InstanceData(bboxes_3d=DepthInstance3DBoxes(boxes, origin=CENTRE),
                                            scores_3d=torch.tensor([0.9, 0.8, 0.7]), labels_3d=torch.tensor([1, 1, 0]))
    assert shown_boxes(sample, 0.).labels.tolist() == [1, 0]


def test_boxes_of_classes_left_out_are_not_drawn(visualizer, sample, tmp_path):
    points = np.fromfile(tmp_path / 'room.bin', np.float32).reshape(-1, 6)
    found = []
    for labels in ([0, 1], [0, -1]):
        sample.eval_ann_info['gt_labels_3d'] = np.array(labels)
        visualizer.add_datasample('room', dict(points=points), sample, out_file=str(tmp_path / 'out.png'),
                                  vis_task='lidar_det')
        left, _ = np.split(np.asarray(Image.open(tmp_path / 'out.png')), 2, axis=1)
        found.append(count(left, TRUE_COLOUR))
    assert 100 < found[1] < 0.8 * found[0]


def test_hook_falls_back_to_the_backends(visualizer, sample, tmp_path, monkeypatch):
    monkeypatch.setattr('mmdet3d.engine.hooks.visualization_hook.Visualizer.get_current_instance', lambda: visualizer)
    hook = Det3DVisualizationHook(draw=True, vis_task='lidar_det', interval=1)
    hook.after_val_iter(SimpleNamespace(iter=7), 0, {}, [sample])
    saved = list(tmp_path.rglob('*.png'))
    assert [path.name for path in saved] == ['val sample_7.png']
    image = np.asarray(Image.open(saved[0]))
    assert count(image, PREDICTED_COLOUR) > 200 and count(image, TRUE_COLOUR) == 0


def test_points_are_aligned_with_the_boxes(visualizer, sample, tmp_path):
    raw = np.fromfile(sample.lidar_path, dtype=np.float32).reshape(-1, 6)
    visualizer.add_datasample('one', {'points': raw}, sample, vis_task='lidar_det', out_file=str(tmp_path / 'a.png'))
    aligned = raw.copy()
    matrix = sample.metainfo['axis_align_matrix']
    aligned[:, :3] = raw[:, :3] @ matrix[:3, :3].T
    straight = sample.clone()
    straight.set_metainfo({'axis_align_matrix': np.eye(4)})
    visualizer.add_datasample('two', {'points': torch.tensor(aligned)}, straight, vis_task='lidar_det',
                              out_file=str(tmp_path / 'b'))
    first, second = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ('a.png', 'b.png'))
    assert (np.abs(first - second).max(axis=-1) > 10).mean() < 0.01


def test_messages(visualizer, sample):
    with pytest.raises(ValueError, match="must hold 'points'.*got \\['img'\\]"):
        visualizer.add_datasample('x', {'img': None}, sample, vis_task='lidar_det')
    visualizer.dataset_meta = None
    with pytest.raises(ValueError, match='class names are not known'):
        visualizer.add_datasample('x', {'points': np.zeros((1, 3))}, sample, vis_task='lidar_det')


@pytest.mark.parametrize('kind', ['M2AELocalVisualizer', 'Det3DLocalVisualizer'])
def test_without_a_screen_a_wanted_window_becomes_a_file(kind, sample, tmp_path, monkeypatch):
    monkeypatch.setattr('m2ae_mm.visualization.visualizer.can_open', lambda: False)
    monkeypatch.chdir(tmp_path)
    made = VISUALIZERS.build(dict(type=kind, name=f'{tmp_path}_{kind}'))
    made.dataset_meta = {'classes': ('chair', 'table')}
    points = dict(points=torch.rand(50, 3))
    for _ in range(2):
        made.add_datasample('a', points, sample, vis_task='lidar_det', show=True)
    made.add_datasample('a', points, sample, vis_task='lidar_det', o3d_save_path='own.png')
    assert sorted(path.name for path in tmp_path.glob('**/*.png')) == ['000000.png', '000001.png', 'own.png']


@pytest.mark.parametrize('kind, shown', [('M2AELocalVisualizer', True), ('Det3DLocalVisualizer', False)])
def test_with_a_screen_mmdet3d_opens_its_window(kind, shown, sample, tmp_path, monkeypatch):
    monkeypatch.setattr('m2ae_mm.visualization.visualizer.can_open', lambda: True)
    made = VISUALIZERS.build(dict(type=kind, name=f'{tmp_path}_{kind}'))
    made.dataset_meta = {'classes': ('chair', 'table')}
    asked = []
    monkeypatch.setattr(type(made), '_initialize_o3d_vis', lambda self, show: asked.append(show) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.add_datasample('a', dict(points=torch.rand(50, 3)), sample, vis_task='lidar_det', show=shown)
    assert asked == [shown]
