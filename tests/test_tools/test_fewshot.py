"""The few-shot tool: all folds, resuming, and what it prints."""
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from shapes import write_fewshot

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
def tool(monkeypatch, tmp_path, capsys):
    """Runs the tool in this process and returns its table and the last line it printed."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    import fewshot
    root = write_fewshot(tmp_path / 'data', folds=3, num_points=40)

    def call(folds, epochs):
        data = [f'{loader}_dataloader.dataset.data_root={root}' for loader in ('train', 'val', 'test')]
        monkeypatch.setattr(sys, 'argv', [
            'fewshot.py', str(ROOT / 'configs/m2ae/modelnet40_fewshot_5way_10shot.py'), '--folds', str(folds),
            '--work-dir', str(tmp_path / 'work'), '--cfg-options', *TINY, *data, f'train_cfg.max_epochs={epochs}'
        ])
        # mmengine keeps every runner's hub by name for the life of a process.
        from mmengine.logging import MessageHub, MMLogger
        from mmengine.visualization import Visualizer
        for kind in (MessageHub, MMLogger, Visualizer):
            kind._instance_dict.clear()
        fewshot.main()
        return json.loads((tmp_path / 'work' / 'folds.json').read_text()), capsys.readouterr().out.splitlines()[-1]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for models this small
    yield call
    torch.set_num_threads(threads)


def test_folds_are_run_once_and_resumed(tool, tmp_path):
    first, _ = tool(2, 1)
    assert set(first) == {'0', '1'}
    table = tmp_path / 'work' / 'folds.json'
    # Fold 0 is kept as it stands; fold 1 is finished and only scored again; fold 2 is new.
    table.write_text(json.dumps({'0': 100.}))
    second, line = tool(3, 1)
    assert second['0'] == 100 and second['1'] == first['1'] and set(second) == {'0', '1', '2'}
    mean = sum(second.values()) / 3
    assert re.fullmatch(rf'{mean:.2f} \+- \d+\.\d\d % over 3 folds', line)
    # With another epoch of two iterations to go, fold 0 continues from its checkpoint, marked by its count.
    table.unlink()
    folder = tmp_path / 'work' / 'fold_0'
    checkpoint = torch.load(folder / 'epoch_1.pth', weights_only=True)
    checkpoint['meta']['iter'] = 100
    torch.save(checkpoint, folder / 'epoch_1.pth')
    tool(1, 2)
    meta = torch.load(folder / 'epoch_2.pth', weights_only=True)['meta']
    assert (meta['epoch'], meta['iter']) == (2, 102)


def test_other_configs_are_refused():
    result = subprocess.run([sys.executable, 'tools/fewshot.py', 'configs/m2ae/modelnet40_cls.py'], cwd=ROOT,
                            capture_output=True, text=True, timeout=300)
    assert result.returncode == 1
    assert 'is no few-shot config' in result.stderr and 'Traceback' not in result.stderr
