"""A page of what was tested, and the score above which boxes are shown."""
import json
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from processes import run_in_processes
from scenes import CLASSES, box_scene

from m2ae_mm.engine.hooks import M2AEGalleryHook
from m2ae_mm.engine.picture_threshold import training_scenes
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample


def runner(lines):
    return SimpleNamespace(test_dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=CLASSES))),
                           logger=SimpleNamespace(info=lines.append))


def scene_with(number, shown):
    """A scene of four things, of which the first ``shown`` are found, each with a score of 0.8."""
    scene = box_scene(number)
    boxes = DepthInstance3DBoxes(torch.from_numpy(scene['boxes']), box_dim=6, with_yaw=False, origin=(.5, .5, .5))
    labels = torch.from_numpy(scene['labels'])
    sample = Det3DDataSample(metainfo=dict(sample_idx=number))
    sample.pred_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=labels,
                                            scores_3d=torch.where(torch.arange(4) < shown, 0.8, 0.2))
    sample.eval_ann_info = dict(gt_bboxes_3d=boxes, gt_labels_3d=scene['labels'])
    return torch.from_numpy(scene['points'][:, :3]), sample


def judge(folder, rank=0):
    hook, lines, metrics = M2AEGalleryHook(f'{folder}/page', 0.5), [], {'mAP_0.25': 0.5}
    for number in (1, 3) if rank == 0 else (2, 1):  # the last is there to fill the batch
        points, sample = scene_with(number, shown=number)
        hook.after_test_iter(runner(lines), 0, dict(inputs=dict(points=[points])), [sample])
    hook.after_test_epoch(runner(lines), metrics)
    return lines, metrics


def test_processes_make_one_page(tmp_path):
    (lines, metrics), (others, _) = run_in_processes(partial(judge, str(tmp_path)), tmp_path)
    assert lines == [f'3 scenes in {tmp_path}/page/index.html'] and others == []
    assert metrics == {'mAP_0.25': 0.5, 'picture_score_thr': 0.5}
    scenes = json.loads((tmp_path / 'page' / 'counts.json').read_text())['scenes']
    assert list(scenes.items()) == [(f'sample_0000{i}', dict(right=i, missed=4 - i, wrong=0)) for i in (1, 2, 3)]
    assert '<b>50.0</b>AP25' in (tmp_path / 'page' / 'index.html').read_text()


@pytest.mark.parametrize('absent, message', [('pred_instances_3d', 'no detections'),
                                             ('eval_ann_info', 'no ground truth')])
def test_other_tests_have_no_gallery(tmp_path, absent, message):
    points, sample = scene_with(0, 1)
    delattr(sample, absent)
    with pytest.raises(ValueError, match=f'{message}. Leave out --gallery'):
        M2AEGalleryHook(str(tmp_path)).after_test_iter(runner([]), 0, dict(inputs=dict(points=[points])), [sample])


TEST = dict(batch_size=8, num_workers=2, persistent_workers=True,
            dataset=dict(type='Scenes', data_root='a/', ann_file='val.pkl', pipeline=['test'], test_mode=True))


@pytest.mark.parametrize('wrap', [lambda dataset: dataset, lambda dataset: dict(type='RepeatDataset', dataset=dataset)])
def test_training_scenes_are_read_as_test_scenes(wrap):
    train = dict(type='Scenes', data_root='b/', ann_file='train.pkl', pipeline=['augment'])
    config = Config(dict(train_dataloader=dict(dataset=wrap(train)), test_dataloader=TEST))
    dataset = training_scenes(config, 40)['dataset']
    assert dataset == {**TEST['dataset'], 'data_root': 'b/', 'ann_file': 'train.pkl', 'indices': 40}
    assert config.test_dataloader.dataset.data_root == 'a/'


def test_without_training_scenes_a_number_is_asked_for():
    with pytest.raises(ValueError, match='Give --score-thr a number'):
        training_scenes(Config(dict(test_dataloader=TEST)), 40)
