"""The few-shot tool: all folds, resuming, and what it prints."""
import json
import re
from pathlib import Path

import pytest
import torch
from shapes import write_fewshot

from m2ae_mm.checkpoint import write_checkpoint
from m2ae_mm.cli import fewshot

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    'model.backbone.num_centers=[16,8,4]', 'model.backbone.num_neighbors=[4,4,2]',
    'model.backbone.embed_dims=[6,12,24]',
    'model.backbone.depths=[1,1,1]', 'model.backbone.num_heads=3', 'model.backbone.point_hidden=[8,8,8]',
    'model.head.in_channels=24', 'model.data_preprocessor.train_transforms=[]',
    'model.data_preprocessor.test_transforms=[]', 'log_level=WARNING',
    *(f'{loader}.{option}' for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
      for option in ('num_workers=0', 'persistent_workers=False', 'batch_size=25'))
]


@pytest.fixture
def tool(tmp_path, capsys):
    """Runs the tool in this process and returns its table and the lines it printed."""
    root = write_fewshot(tmp_path / 'data', folds=3, num_points=40)

    def call(folds, *options):
        data = [f'{loader}_dataloader.dataset.data_root={root}' for loader in ('train', 'val', 'test')]
        args = fewshot.parse_args([
            str(ROOT / 'configs/m2ae/modelnet40_fewshot_5way_10shot.py'), '--folds', str(folds),
            '--work-dir', str(tmp_path / 'work'), '--cfg-options', *TINY, *data, 'train_cfg.max_epochs=1', *options
        ])
        # mmengine keeps every runner's hub by name for the life of a process.
        from mmengine.logging import MessageHub, MMLogger
        from mmengine.visualization import Visualizer
        for kind in (MessageHub, MMLogger, Visualizer):
            kind._instance_dict.clear()
        fewshot.main(args)
        return json.loads((tmp_path / 'work' / 'folds.json').read_text()), capsys.readouterr().out.splitlines()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for models this small
    yield call
    torch.set_num_threads(threads)


def test_folds_are_run_once(tool, tmp_path):
    first, _ = tool(2)
    assert set(first) == {'0', '1'}
    table = tmp_path / 'work' / 'folds.json'
    # Fold 0 is kept as it stands; fold 1 is finished and only scored again; fold 2 is new.
    table.write_text(json.dumps({'0': 100.}))
    second, lines = tool(3, 'train_dataloader.num_workers=1', 'log_level=ERROR')  # loading and logging do not matter
    assert f'folds, 0: taken from {table}' in lines
    assert second['0'] == 100 and second['1'] == first['1'] and set(second) == {'0', '1', '2'}
    mean = sum(second.values()) / 3
    assert re.fullmatch(rf'{mean:.2f} \+- \d+\.\d\d % over 3 folds', lines[-1])


def test_an_interrupted_fold_continues_from_its_checkpoint(tool, tmp_path):
    two_epochs = ['train_cfg.max_epochs=2', 'default_hooks.checkpoint.interval=1',
                  'default_hooks.checkpoint.max_keep_ckpts=2']
    tool(1, *two_epochs)
    folder = tmp_path / 'work' / 'fold_0'
    (tmp_path / 'work' / 'folds.json').unlink()
    (folder / 'epoch_2.pth').unlink()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
    checkpoint = torch.load(folder / 'epoch_1.pth', weights_only=True)
    checkpoint['meta']['iter'] = 100  # a mark; an epoch has two iterations
    torch.save(checkpoint, folder / 'epoch_1.pth')
    with pytest.raises(ValueError, match=r"work' holds .* other settings: train_cfg.max_epochs is 2 there, 3 now"):
        tool(1, 'train_cfg.max_epochs=3')
    tool(1, *two_epochs)
    meta = torch.load(folder / 'epoch_2.pth', weights_only=True)['meta']
    assert (meta['epoch'], meta['iter']) == (2, 102)


def test_folds_of_other_settings_are_not_taken_over(tool, tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'folds.json').write_text('{"0": 100.0}')
    with pytest.raises(ValueError, match=r"work' holds results, but no settings.json"):
        tool(1)
    (work / 'folds.json').unlink()
    start = tmp_path / 'start.safetensors'
    write_checkpoint({'backbone.embeddings.0.lift.bias': torch.zeros(8)}, start)
    slot = 'model.backbone.init_cfg.checkpoint'
    assert set(tool(1, f'{slot}={start}')[0]) == {'0'}
    moved = start.rename(tmp_path / 'moved.safetensors')
    assert '0: taken from' in tool(1, f'{slot}={moved}')[1][-3]  # of the same content
    write_checkpoint({'backbone.embeddings.0.lift.bias': torch.ones(8)}, start)
    for options, difference in [([f'{slot}={start}'], rf"{slot} is 'sha256 \w+' there, 'sha256 \w+' now"),
                                ([f'{slot}=None'], rf"{slot} is 'sha256 \w+' there, None now"),
                                ([f'{slot}={moved}', 'randomness.seed=3'], 'randomness.seed is 0 there, 3 now')]:
        with pytest.raises(ValueError, match=rf"work' holds results of other settings: {difference}. Use another"):
            tool(1, *options)
    with pytest.raises(FileNotFoundError, match="no checkpoint 'missing.pth'"):
        tool(1, f'{slot}=missing.pth')


def test_other_configs_are_refused():
    with pytest.raises(ValueError, match='is no few-shot config'):
        fewshot.main(fewshot.parse_args([str(ROOT / 'configs/m2ae/modelnet40_cls.py')]))
