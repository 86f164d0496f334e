"""mmdet3d in processes that do not import m2ae_mm."""
import json
import sys

from starts import python

CONFIG = """
_base_ = 'm2ae_mm::m2ae/scannet_det.py'
train_dataloader = dict(batch_size=3)
"""
NAMES = """
from mmengine.config import Config
config = Config.fromfile('mine.py')
project = Config.fromfile('m2ae_mm::projects/votenet_m2ae/configs/votenet_m2ae_scannet.py')
print(config.model.type, config.model.get('_scope_'), config.train_dataloader.batch_size, project.model.backbone.type)
"""
# mmdet3d's box operators and mmcv's functions that call torch.cuda themselves.
ALONE = """
import json, sys
import mmdet3d
from mmcv.ops import furthest_point_sample, knn, points_in_boxes_all
from mmdet3d.models.dense_heads import vote_head
before = 'm2ae_mm' in sys.modules
import torch
points = torch.rand(1, 30, 3)
boxes = torch.tensor([[[0.5, 0.5, 0, 1, 1, 1, 0]]])
print(json.dumps(dict(
    before=before,
    picked=furthest_point_sample(points, 5).tolist(),
    same=vote_head.furthest_point_sample is furthest_point_sample,
    nearest=knn(1, points)[0, 0].tolist(),
    inside=points_in_boxes_all(points, boxes).sum().item(),
    origin=sys.modules['mmcv._ext'].__file__)))
"""


def test_mmdet3d_alone_then_configs_by_the_name_of_the_package(tmp_path):
    (tmp_path / 'mine.py').write_text(CONFIG)
    done = python(tmp_path, '-c', ALONE + NAMES)
    assert done.returncode == 0, done.stderr
    *_, found, names = done.stdout.splitlines()
    assert names.split() == ['ThreeDETR', 'None', '3', 'PointM2AEEncoder']
    found = json.loads(found)
    assert found['before'] is False and found['same'] is True
    assert len(set(found['picked'][0])) == 5
    assert found['nearest'] == list(range(30)) and found['inside'] == 30
    assert found['origin'].endswith('m2ae_mm/mmcv_ops/stand_in.py')


START = """
import sys, time
before = set(sys.modules)
seconds = []
for _ in range(20):
    sys.modules.pop('m2ae_mm_start', None)
    start = time.perf_counter()
    import m2ae_mm_start
    m2ae_mm_start.install()
    seconds.append(time.perf_counter() - start)
print(min(seconds), *(set(sys.modules) - before), sys.meta_path[-1].__name__)
"""


def test_the_start_imports_nothing_and_takes_no_time(tmp_path):
    # Compiled once, as pip does when it installs.
    done = python(tmp_path, '-S', '-c', START, PYTHONDONTWRITEBYTECODE='', PYTHONPYCACHEPREFIX=str(tmp_path))
    seconds, module, last = done.stdout.split()
    assert float(seconds) < 1e-3 and (module, last) == ('m2ae_mm_start', 'StandIn')


def test_a_compiled_extension_is_found_first(tmp_path):
    """Another mmcv on the path, with an extension of its own."""
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').touch()
    (tmp_path / 'mmcv' / '_ext.py').write_text('compiled = True')
    done = python(tmp_path, '-c', 'import mmcv._ext, sys; print(mmcv._ext.compiled, "torch" in sys.modules)',
                  paths=[tmp_path])
    assert done.stdout.split() == ['True', 'False'], done.stderr


def test_an_open3d_that_cannot_be_loaded_is_one_that_is_missing(tmp_path):
    (tmp_path / 'open3d').mkdir()
    (tmp_path / 'open3d' / '__init__.py').write_text('raise OSError("libGL.so.1: cannot open shared object file")')
    code = 'from mmdet3d.visualization import local_visualizer; print(local_visualizer.o3d)'
    for before in ('', 'import m2ae_mm; '):
        done = python(tmp_path, '-c', before + code, paths=[tmp_path])
        assert done.stdout.split()[-1:] == ['None'], done.stderr


def test_configs_by_the_name_of_the_package_where_it_is_not_installed(tmp_path):
    """Without the hooks: once m2ae_mm is imported."""
    (tmp_path / 'mine.py').write_text(CONFIG)
    done = python(tmp_path, '-S', '-c', f'import sys; sys.path += {sys.path!r}; import m2ae_mm' + NAMES)
    assert done.stdout.split()[-4:] == ['ThreeDETR', 'None', '3', 'PointM2AEEncoder'], done.stderr


def test_a_config_that_is_not_there(tmp_path):
    done = python(tmp_path, '-c', 'from mmengine.config import Config; Config.fromfile("m2ae_mm::m2ae/scanet_det.py")')
    assert "there is no config 'm2ae_mm::m2ae/scanet_det.py'" in done.stderr


def test_help_of_the_command_is_there_at_once(tmp_path):
    run = 'import sys; sys.argv[0] = "m2ae"; from m2ae_mm_start import main; main()'
    overview = python(tmp_path, '-X', 'importtime', '-c', run, '--help')
    options = python(tmp_path, '-X', 'importtime', '-c', run, 'train', '--help')
    assert 'fewshot' in overview.stdout and 'usage: m2ae train' in options.stdout
    assert not any(name in done.stderr for name in ('numpy', 'torch', 'mmengine') for done in (overview, options))
    wrong = python(tmp_path, '-c', run, 'trian')
    assert wrong.returncode == 1 and "no command 'trian'; did you mean 'train'" in wrong.stderr
