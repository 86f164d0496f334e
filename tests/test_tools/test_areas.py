"""tools/train.py --areas: each area is tested once, with a training on all others, and all are scored together."""
import json

import numpy as np
import pytest
from mmengine.config import Config
from runs import CONFIGS, LOADERS, seg_config
from seg_scenes import labelled_room, write_seg_layout

from m2ae_mm.cli.areas import area_config, areas_of, summary, train_areas
from m2ae_mm.cli.train import apply_args, parse_args

AREAS = ('Area_1', 'Area_2', 'Area_5')


@pytest.fixture
def config(tmp_path):
    """s3dis_seg.py on three areas of two, one and one small rooms."""
    rooms = {area: [labelled_room(10 * i + j, 300 + 10 * i, (1, 2, 8), 1.5) for j in range(2 if i == 0 else 1)]
             for i, area in enumerate(AREAS)}
    root = write_seg_layout(tmp_path / 'data', rooms, 's3dis_infos')
    config = seg_config('s3dis_seg', root, tmp_path / 'work')
    config.train_dataloader.dataset.update(ann_files=[f's3dis_infos_{area}.pkl' for area in AREAS[:2]], scene_idxs=[
        f'seg_info/{area}_resampled_scene_idxs.npy' for area in AREAS[:2]])
    return config


def test_areas_are_the_annotation_files_of_training_and_validation(config):
    full = Config.fromfile(CONFIGS / 's3dis_seg.py')
    areas = areas_of(full)
    assert list(areas) == ['1', '2', '3', '4', '5', '6']
    assert areas['5'] == ('s3dis_infos_Area_5.pkl', 'seg_info/Area_5_resampled_scene_idxs.npy')
    full.work_dir = 'w'
    left_out = area_config(full, areas, '2')
    assert left_out.train_dataloader.dataset.ann_files == [f's3dis_infos_Area_{i}.pkl' for i in (1, 3, 4, 5, 6)]
    assert [file[14] for file in left_out.train_dataloader.dataset.scene_idxs] == list('13456')
    for loader in LOADERS[1:]:
        assert left_out[loader].dataset.ann_files == 's3dis_infos_Area_2.pkl'
    assert left_out.work_dir == 'w/area_2' and left_out.train_cfg.val_interval == 50
    assert full.val_dataloader.dataset.ann_files == 's3dis_infos_Area_5.pkl'


def test_areas_with_files_of_one_name_are_refused(config):
    config.train_dataloader.dataset.ann_files = ['Area_1/infos.pkl', 'Area_2/infos.pkl']
    with pytest.raises(ValueError, match='several of Area_1/infos.pkl, Area_2/infos.pkl, .* have the same name'):
        areas_of(config)


def test_every_area_is_tested_once_and_none_twice(config, tmp_path, capsys, monkeypatch):
    train_areas(config, ['5'])
    table = tmp_path / 'work' / 'areas.json'
    assert list(json.loads(table.read_text())) == ['5'] and '1 of 3 areas together' in capsys.readouterr().out
    train_areas(config)
    printed, found = capsys.readouterr().out, json.loads(table.read_text())
    for area, number, rooms in zip(AREAS, '125', (2, 1, 1)):
        labels = [np.fromfile(tmp_path / 'data' / 'semantic_mask' / f'{area}_{i:03d}.bin', '<i8') for i in range(rooms)]
        assert np.sum(found[number], 1).tolist() == np.bincount(np.concatenate(labels), minlength=13).tolist()
    all_together = np.sum(list(found.values()), 0)
    accuracy = 100 * np.trace(all_together) / (600 + 310 + 320)
    assert f'accuracy {accuracy:.2f}' in printed.rpartition('3 areas together:')[2] and '5: taken from' in printed
    # One that stopped in its last validation is scored again, to the same numbers; the others are taken over.
    table.write_text(json.dumps({name: found[name] for name in '15'}))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'work').glob('area_*/epoch_1.pth')}
    train_areas(config)
    assert json.loads(table.read_text()) == found and len(times) == 3
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    config.optim_wrapper.optimizer.lr = 1.
    with pytest.raises(ValueError, match='results of other settings: optim_wrapper.optimizer.lr is'):
        train_areas(config)


def test_confusion_matrices_are_added_before_the_score():
    first, second = np.array([[8, 2], [0, 10]]), np.array([[1, 0], [9, 0]])
    # floor 9 of 9 + 2 + 9, wall 10 of 10 + 2 + 9; the mean of both areas' mIoU would be 43.33.
    lines = summary({'1': first, '2': second}, ('floor', 'wall'), 2).splitlines()
    assert lines[0].startswith('area 1: mIoU 81.67, accuracy 90.00, ')
    assert lines[1].startswith('area 2: mIoU 5.00, accuracy 10.00, ')
    expected = 100 * (9 / 20 + 10 / 21) / 2
    mean_accuracy = 100 * (9 / 11 + 10 / 19) / 2
    assert lines[-1] == f'mIoU {expected:.2f}, accuracy 63.33, mean accuracy of the classes {mean_accuracy:.2f}'


@pytest.mark.parametrize('change, chosen, text', [
    (None, ['7'], '--areas names 7, and the config has 1, 2, 5'),
    (dict(val_evaluator=dict(type='SegMetric')), [], r"needs val_evaluator=dict\(type='M2AESegMetric'\)"),
    ({'train_dataloader.dataset.ann_files': None}, [], 'several annotation files, train_dataloader.dataset.ann_files'),
    ({'train_dataloader.dataset.scene_idxs': ['a.npy']}, [], '2 ann_files and 1 scene_idxs'),
    ({'train_dataloader.dataset.ann_files': ['s3dis_infos_Area_5.pkl'], 'train_dataloader.dataset.scene_idxs': None},
     [], 'all areas but one, and the config has only s3dis_infos_Area_5.pkl'),
])
def test_configs_without_areas_are_refused(config, change, chosen, text):
    config.merge_from_dict(change or {})
    with pytest.raises(ValueError, match=text):
        train_areas(config, chosen)


@pytest.mark.parametrize('entry', [[[1]], [[0.5] * 13] * 13, [[-1] * 13] * 13, 'x'])
def test_damaged_tables_are_named(config, tmp_path, entry):
    train = tmp_path / 'work'
    train.mkdir()
    from m2ae_mm.cli.run_settings import claim_folder, settings_of
    claim_folder(train, settings_of(config), 'area*')
    (train / 'areas.json').write_text(json.dumps({'1': entry}))
    with pytest.raises(ValueError, match=r'area 1 has no 13 x 13 numbers of points. Take the entry out of'):
        train_areas(config)


@pytest.mark.parametrize('options, text', [
    (['--areas', '--seeds', '2'], '--seeds and --areas exclude each other'),
    (['--areas', '1', '--resume', 'x.pth'], "--areas trains each time .* got 'x.pth'")])
def test_options_that_exclude_each_other(config, options, text):
    with pytest.raises(ValueError, match=text):
        apply_args(config, parse_args(['s3dis_seg.py', *options]))
