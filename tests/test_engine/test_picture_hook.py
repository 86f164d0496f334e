from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from PIL import Image
from processes import run_in_processes
from scenes import CLASSES, box_scene

from m2ae_mm.engine.hooks import M2AEPictureHook
from m2ae_mm.visualization.figures import class_image
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData

RUNNER = SimpleNamespace(
    test_dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=CLASSES))),
    logger=MMLogger.get_instance('pictures'))


def detected(scene, **metainfo):
    """All that is in a scene, found."""
    sample = Det3DDataSample(metainfo=metainfo)
    boxes = DepthInstance3DBoxes(torch.from_numpy(scene['boxes']), box_dim=6, with_yaw=False, origin=(.5, .5, .5))
    labels = torch.from_numpy(scene['labels'])
    sample.pred_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=labels, scores_3d=torch.ones(len(labels)))
    return sample, torch.from_numpy(scene['points'][:, :3])


def test_detections_are_drawn_over_the_file_up_to_the_limit(tmp_path):
    scene = box_scene(0)
    scene['points'].tofile(tmp_path / 'room.bin')
    sample, points = detected(scene, lidar_path=str(tmp_path / 'room.bin'), num_pts_feats=6)
    sample.eval_ann_info = dict(gt_bboxes_3d=sample.pred_instances_3d.bboxes_3d, gt_labels_3d=scene['labels'])
    hook = M2AEPictureHook(str(tmp_path / 'out'), limit=1)
    hook.after_test_iter(RUNNER, 0, dict(inputs=dict(points=[points, points])), [sample, sample])
    hook.after_test(RUNNER)
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['room.png']
    assert np.asarray(Image.open(tmp_path / 'out' / 'room.png')).std() > 10


def test_detections_are_drawn_over_the_batch_where_the_file_is_not_known(tmp_path):
    sample, points = detected(box_scene(0), sample_idx=7)
    M2AEPictureHook(str(tmp_path)).after_test_iter(RUNNER, 0, dict(inputs=dict(points=[points])), [sample])
    assert np.asarray(Image.open(tmp_path / 'sample_00007.png')).std() > 10


def test_reconstructions_show_three_panels(tmp_path):
    cloud = torch.rand(200, 3)
    sample = Det3DDataSample(metainfo=dict(lidar_path='shape.bin'))
    sample.visible_points, sample.reconstructed_points = cloud[:50], cloud[50:]
    M2AEPictureHook(str(tmp_path)).after_test_iter(RUNNER, 0, dict(inputs=dict(points=[cloud])), [sample])
    picture = Image.open(tmp_path / 'shape.png')
    assert picture.width > 2 * picture.height


def _draw_own(folder, rank):
    hook = M2AEPictureHook(f'{folder}/out', limit=3)
    for batch in range(3):
        cloud = torch.rand(20, 3)
        sample = Det3DDataSample(metainfo=dict(sample_idx=2 * batch + rank))
        sample.visible_points, sample.reconstructed_points = cloud[:5], cloud[5:]
        hook.after_test_iter(RUNNER, batch, dict(inputs=dict(points=[cloud])), [sample])
    lines = []
    hook.after_test(SimpleNamespace(logger=SimpleNamespace(info=lines.append)))
    return lines


def test_every_process_draws_what_it_has_tested(tmp_path):
    lines = run_in_processes(partial(_draw_own, str(tmp_path)), tmp_path)
    assert sorted(path.stem for path in (tmp_path / 'out').iterdir()) == [f'sample_{i:05d}' for i in range(4)]
    assert lines == [[f'4 pictures in {tmp_path}/out'], []]


def test_classes_are_drawn_with_what_they_were_taken_for(tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr('m2ae_mm.engine.hooks.picture_hook.class_image',
                        lambda points, title: titles.append(title) or class_image(points, title))
    samples = []
    for name, true, predicted in (('bed/a', 1, 1), ('b', 0, 2), ('c', None, 17)):
        sample = Det3DDataSample(metainfo=dict(name=name))
        if true is not None:
            sample.gt_label = true
        sample.pred_score = 0.73 * torch.eye(18)[predicted]
        sample.pred_label = torch.tensor(predicted)
        samples.append(sample)
    clouds = list(torch.rand(3, 100, 3) - 0.5)
    M2AEPictureHook(str(tmp_path)).after_test_iter(RUNNER, 0, dict(inputs=dict(points=clouds)), samples)
    assert titles == [f'{what} (73 %)' for what in (
        'bed, rightly taken for bed', 'cabinet, wrongly taken for chair', 'taken for garbagebin')]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['b.png', 'bed_a.png', 'c.png']
    assert np.asarray(Image.open(tmp_path / 'b.png')).std() > 10


def test_parts_are_drawn_in_colours_of_their_own(tmp_path):
    cloud = torch.rand(300, 3) - 0.5
    sample = Det3DDataSample(metainfo=dict(sample_idx=3))
    sample.gt_pts_seg = PointData(pts_semantic_mask=(cloud[:, 0] > 0).long() + 40)
    sample.pred_pts_seg = PointData(pts_semantic_mask=torch.full((300, ), 40))
    M2AEPictureHook(str(tmp_path)).after_test_iter(RUNNER, 0, dict(inputs=dict(points=[cloud])), [sample])
    image = np.asarray(Image.open(tmp_path / 'sample_00003.png')).astype(int)
    assert image.shape[1] > 1.5 * image.shape[0]
    hues = [len(set(map(tuple, half[np.ptp(half, axis=-1) > 60] // 64))) for half in np.array_split(image, 2, axis=1)]
    assert hues[0] > hues[1] > 0
