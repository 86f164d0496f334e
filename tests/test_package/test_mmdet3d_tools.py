"""mmdet3d's packaged tools on a config of a user that inherits ours, far from the clone."""
import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from processes import program
from starts import python

from m2ae_mm.datasets.rooms import create_rooms

TOOLS = Path(importlib.util.find_spec('mmdet3d').origin).parent / '.mim' / 'tools'
MINE = """
_base_ = 'm2ae_mm::vdetr/vdetr-m2ae_rooms.py'
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root={rooms!r}))
val_dataloader = dict(batch_size=1, num_workers=0, persistent_workers=False, dataset=dict(data_root={rooms!r}))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(logger=dict(interval=1))
"""
CALLS = {
    'test.py': 'mine.py rooms_det --work-dir theirs',
    'train.py': 'mine.py --work-dir trained',
    'analysis_tools/analyze_logs.py': 'plot_curve {scalars} --keys loss --out curve.png',
    'analysis_tools/benchmark.py': 'mine.py rooms_det --samples 2',
    'misc/print_config.py': 'mine.py',
    'misc/browse_dataset.py': 'mine.py --task lidar_det --output-dir seen',
}
# The tools one after the other, each in a fork of a process that has imported mmdet3d and never m2ae_mm: a process for
# each would import mmdet3d anew, which takes long.
RUN = """
import glob, json, os, runpy, sys, traceback
import mmdet3d.apis
assert 'm2ae_mm' not in sys.modules
import torch
folder, calls = sys.argv[1], json.loads(sys.argv[2])

def run(tool, arguments):
    with open(f'{os.path.basename(tool)}.txt', 'w') as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    if not torch.cuda.is_available():
        torch.cuda.synchronize = lambda: None  # benchmark.py waits for a GPU after each sample
    sys.path.insert(0, os.path.dirname(folder))  # benchmark.py imports its neighbours as `tools...`
    sys.argv = [tool, *arguments.format(scalars=''.join(glob.glob('trained/*/vis_data/scalars.json'))).split()]
    runpy.run_path(f'{folder}/{tool}', run_name='__main__')

codes = {}
for tool, arguments in calls.items():
    process = os.fork()
    if not process:
        code = 1
        try:
            run(tool, arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    codes[tool] = os.waitpid(process, 0)[1]
print(json.dumps(codes))
"""


@pytest.fixture(scope='module')
def done(tmp_path_factory):
    """A ``folder`` with rooms and ``mine.py``, and ``output(tool)`` of each tool that was run there."""
    folder = tmp_path_factory.mktemp('elsewhere')
    create_rooms(folder / 'rooms', 4, 2, 20000, 0, 'normal', 1)
    (folder / 'mine.py').write_text(MINE.format(rooms=f'{folder / "rooms"}/'))
    # Without a screen.
    ran = python(folder, '-c', RUN, TOOLS, json.dumps(CALLS), DISPLAY='', MPLBACKEND='Agg')
    assert ran.returncode == 0, ran.stderr[-3000:]
    codes = json.loads(ran.stdout.splitlines()[-1])

    def output(tool):
        text = (folder / f'{Path(tool).name}.txt').read_text()
        assert codes[tool] == 0, text[-3000:]
        return text

    return SimpleNamespace(folder=folder, output=output)


def scores(folder):
    newest = max(Path(folder).glob('*/*.json'), key=lambda path: path.stat().st_mtime)
    return {key: value for key, value in json.loads(newest.read_text()).items() if key.startswith(('mAP', 'mAR'))}


def test_same_scores_as_ours(done):
    done.output('test.py')
    ran = program('tools/test.py', done.folder / 'mine.py', 'rooms_det', '--work-dir', done.folder / 'ours')
    assert ran.returncode == 0, ran.stderr[-2000:]
    theirs, ours = scores(done.folder / 'theirs'), scores(done.folder / 'ours')
    assert theirs == ours and theirs['mAP_0.25'] > 0.05


def test_training(done):
    assert re.search(r'Epoch\(val\).*mAP_0.25', done.output('train.py'))
    assert (done.folder / 'trained' / 'epoch_1.pth').is_file()


def test_curves_of_a_training(done):
    pytest.importorskip('seaborn')
    done.output('analysis_tools/analyze_logs.py')
    with Image.open(done.folder / 'curve.png') as picture:
        assert min(picture.size) > 100


def test_config_and_data_can_be_looked_at(done):
    assert 'PointM2AEEncoder' in done.output('misc/print_config.py')
    # A window is asked for; where there is no screen, its picture is written.
    done.output('misc/browse_dataset.py')
    with Image.open(done.folder / 'seen' / '0.jpg') as picture:
        assert min(picture.size) > 100
    assert len(list((done.folder / 'seen').iterdir())) == 4


def test_speed(done):
    # It tells rates after 50 samples only, and reads --samples as a text that no number equals.
    assert 'Loads checkpoint' in done.output('analysis_tools/benchmark.py')
