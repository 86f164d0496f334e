"""mmdet3d's packaged tools on a config of a user that inherits ours, far from the clone."""
import importlib.util
import json
import re
from pathlib import Path

import pytest
from PIL import Image
from starts import ROOT, python

from m2ae_mm.datasets.rooms import create_rooms

TOOLS = Path(importlib.util.find_spec('mmdet3d').origin).parent / '.mim' / 'tools'
MINE = """
_base_ = 'm2ae_mm::m2ae/rooms_det.py'
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root={rooms!r}))
val_dataloader = dict(batch_size=1, num_workers=0, persistent_workers=False, dataset=dict(data_root={rooms!r}))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(logger=dict(interval=1))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with rooms and ``mine.py``."""
    folder = tmp_path_factory.mktemp('elsewhere')
    create_rooms(folder / 'rooms', 4, 2, 20000, 0, 'normal', 1)
    (folder / 'mine.py').write_text(MINE.format(rooms=f'{folder / "rooms"}/'))
    return folder


def run(folder, tool, *arguments, **variables):
    # analysis_tools/benchmark.py imports its neighbours as `tools...`.
    done = python(folder, TOOLS / tool, *arguments, paths=[TOOLS.parent], **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def scores(folder):
    newest = max(Path(folder).glob('*/*.json'), key=lambda path: path.stat().st_mtime)
    return {key: value for key, value in json.loads(newest.read_text()).items() if key.startswith(('mAP', 'mAR'))}


def test_same_scores_as_ours(folder):
    run(folder, 'test.py', 'mine.py', 'rooms_det', '--work-dir', 'theirs')
    done = python(folder, ROOT / 'tools' / 'test.py', 'mine.py', 'rooms_det', '--work-dir', 'ours')
    assert done.returncode == 0, done.stderr[-2000:]
    theirs, ours = scores(folder / 'theirs'), scores(folder / 'ours')
    assert theirs == ours and theirs['mAP_0.25'] > 0.05


def test_training_and_its_curves(folder):
    log = run(folder, 'train.py', 'mine.py', '--work-dir', 'trained')
    assert re.search(r'Epoch\(val\).*mAP_0.25', log) and (folder / 'trained' / 'epoch_1.pth').is_file()
    pytest.importorskip('seaborn')
    scalars = next((folder / 'trained').glob('*/vis_data/scalars.json'))
    run(folder, 'analysis_tools/analyze_logs.py', 'plot_curve', scalars, '--keys', 'loss', '--out', 'curve.png',
        MPLBACKEND='Agg')
    with Image.open(folder / 'curve.png') as picture:
        assert min(picture.size) > 100


def test_config_and_data_can_be_looked_at(folder):
    assert 'PointM2AEEncoder' in run(folder, 'misc/print_config.py', 'mine.py')
    # A window is asked for; where there is no screen, its picture is written.
    run(folder, 'misc/browse_dataset.py', 'mine.py', '--task', 'lidar_det', '--output-dir', 'seen', DISPLAY='')
    with Image.open(folder / 'seen' / '0.jpg') as picture:
        assert min(picture.size) > 100
    assert len(list((folder / 'seen').iterdir())) == 4


# It waits for a GPU after each sample; here there may be none to wait for.
WITHOUT_GPU = """
import runpy, sys, torch
if not torch.cuda.is_available():
    torch.cuda.synchronize = lambda: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_speed(folder):
    done = python(folder, '-c', WITHOUT_GPU, TOOLS / 'analysis_tools' / 'benchmark.py', 'mine.py', 'rooms_det',
                  '--samples', '2', paths=[TOOLS.parent])
    assert done.returncode == 0, done.stderr[-3000:]
