"""Every tool, ours and mmdet3d's, looks at its config and data before it builds anything."""
import importlib

import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS
from scenes import CLASSES, box_scene, write_layout

from m2ae_mm.engine import TESTING, TRAINING
from m2ae_mm.errors import UserError
from m2ae_mm.surroundings import find_config

SCENES, EPISODES = 'm2ae_mm::m2ae/rooms_det.py', 'm2ae_mm::m2ae/modelnet40_fewshot_5way_10shot.py'
TOOLS = [('train', SCENES), ('whole_run', SCENES), ('test', SCENES, 'random'), ('fewshot', EPISODES)]


@pytest.mark.parametrize('tool', TOOLS, ids=lambda tool: tool[0])
@pytest.mark.parametrize('option, message', [
    ('dataset.ann_file=nowhere.pkl', 'nowhere.pkl'), ('batchsize=4', "sets 'batchsize', which"),
    ('num_workers=-1', 'num_workers=-1 must be a whole number')])
def test_a_tool_looks_at_options_and_data(tmp_path, tool, option, message):
    write_layout(tmp_path / 'data', [box_scene(0)], [box_scene(1)])
    command = importlib.import_module(f'm2ae_mm.cli.{tool[0]}')
    loader = TESTING[0] if tool[0] == 'test' else TRAINING[1]
    arguments = [*tool[1:], '--data', str(tmp_path / 'data'), '--work-dir', str(tmp_path / 'out'), '--cfg-options']
    with pytest.raises((UserError, FileNotFoundError), match=message):
        command.main(command.parse_args([*arguments, f'{loader}.{option}']))
    assert not (tmp_path / 'out').exists()


def config_of(name, folder):
    """With two scenes as data, as mmdet3d's tools hand it on."""
    write_layout(folder / 'data', [box_scene(0)], [box_scene(1)])
    config = Config.fromfile(find_config(name))
    config.update(work_dir=str(folder / 'out'), log_level='WARNING')
    for loader, split in zip((*TRAINING, *TESTING), ('train', 'val', 'val')):
        config[loader].update(num_workers=0)
        config[loader].dataset.update(data_root=str(folder / 'data'), ann_file=f'scannet_infos_{split}.pkl')
    return config


@pytest.mark.parametrize('loader, method', [('train_dataloader', 'train'), ('val_dataloader', 'val'),
                                            ('test_dataloader', 'test')])
def test_the_runner_of_mmdet3ds_tools_does_so_too(tmp_path, loader, method):
    config = config_of(SCENES, tmp_path)
    config[loader].dataset.ann_file = 'nowhere.pkl'
    runner = RUNNERS.build(config)
    with pytest.raises(FileNotFoundError, match='(?s)nowhere.pkl.*which does not exist.*m2ae rooms --out data/rooms'):
        getattr(runner, method)()


def test_it_fills_in_what_a_config_leaves_to_the_data(tmp_path):
    runner = RUNNERS.build(config_of('m2ae_mm::m2ae/own_det.py', tmp_path))
    assert runner.cfg.model.bbox_head.num_classes == len(CLASSES)
    assert 'persistent_workers' not in runner.cfg.train_dataloader  # which takes loading processes
