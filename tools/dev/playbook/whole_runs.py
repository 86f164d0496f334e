"""tools/whole_run.py on pre-training and on 3DETR-m: what a run keeps of its bare step."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from .records import ROOT

_AMP = 'optim_wrapper.type=M2AEBFloat16OptimWrapper'


def run(context) -> None:
    rooms = context.out / 'rooms_for_runs'
    few = context.rehearse
    _call(context, 'tools/create_rooms.py', '--out', str(rooms), '--train', '12' if few else '60', '--val', '2' if few
          else '8', '--points', '3000' if few else '100000')
    sets = [f'{loader}_dataloader.dataset.data_root={rooms}/' for loader in ('train', 'val')]
    if few:
        small = ['train_dataloader.batch_size=1', 'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0',
                 'train_dataloader.persistent_workers=False', 'val_dataloader.persistent_workers=False']
        _measure(context, 'rooms pre-training', 'configs/m2ae/rooms_pretrain.py', ['--steps', '2'], [*sets, *small])
        return
    made_up = context.out / 'made_up_shapes'
    _write_packs(made_up)
    shapes = [f'{loader}.data_root={made_up}/' for loader in (
        'train_dataloader.dataset', 'val_dataloader.dataset', 'custom_hooks.0.dataloader.dataset')]
    _measure(context, 'pre-training, made-up shapes in the sizes of cad_shapes',
             'configs/m2ae/cad_shapes/pretrain_probe.py', ['--repeat', '15', '--steps', '100'], [_AMP, *shapes])
    _measure(context, '3DETR-m, rooms of 100,000 points', 'configs/3detr/3detr-m_scannet.py',
             ['--repeat', '20', '--steps', '60'], [_AMP, *sets, 'train_dataloader.num_workers=8'])


def _write_packs(folder: Path) -> None:
    """Ellipsoids in packs of the names and sizes of cad_shapes: what they show makes no difference to the speed."""
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    for name, count in (('ldraw', 1754), ('kicad', 1237), ('sweethome3d', 778)):
        points = generator.normal(size=(count, 2048, 3))
        points /= np.linalg.norm(points, axis=-1, keepdims=True)
        points *= generator.uniform(0.2, 1., (count, 1, 3))
        np.savez(folder / f'{name}.npz', points=points.astype(np.float16), label=np.arange(count) % 28,
                 split=(np.arange(count) % 4 == 3).astype(np.uint8))


def _measure(context, name: str, config: str, arguments: list[str], options: list[str]) -> None:
    file = context.out / 'whole_run.tmp.json'
    _call(context, 'tools/whole_run.py', config, *arguments, '--json', str(file), '--cfg-options', *options)
    context.record.add(run=name, config=config, **json.loads(file.read_text()))
    file.unlink()


def _call(context, *command: str) -> None:
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f'{" ".join(command[:2])} failed: {(done.stdout + done.stderr)[-2500:]}')
