"""mmdet3d in processes that do not import m2ae_mm."""
import json
import sys

from starts import python

CONFIG = """
_base_ = 'm2ae_mm::m2ae/scannet_det.py'
train_dataloader = dict(batch_size=3)
"""
NAMES = """
from mmdet3d.visualization import local_visualizer
from mmengine.config import Config
config = Config.fromfile('mine.py')
project = Config.fromfile('m2ae_mm::projects/votenet_m2ae/configs/votenet_m2ae_scannet.py')
try:
    Config.fromfile('m2ae_mm::m2ae/scanet_det.py')
except Exception as error:
    wrong = str(error)
print(json.dumps(dict(
    types=[config.model.type, config.model.get('_scope_'), project.model.backbone.type],
    batch=config.train_dataloader.batch_size, wrong=wrong, open3d=local_visualizer.o3d)))
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


def results(folder, *arguments):
    """Of a process that finds ``mine.py`` and an Open3D that cannot be loaded, which is one that is missing."""
    (folder / 'mine.py').write_text(CONFIG)
    (folder / 'open3d').mkdir()
    (folder / 'open3d' / '__init__.py').write_text('raise OSError("libGL.so.1: cannot open shared object file")')
    done = python(folder, *arguments, paths=[folder])
    assert done.returncode == 0, done.stderr
    *first, names = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    assert names['types'] == ['ThreeDETR', None, 'PointM2AEEncoder'] and names['batch'] == 3
    assert "there is no config 'm2ae_mm::m2ae/scanet_det.py'" in names['wrong'] and names['open3d'] is None
    return first


def test_mmdet3d_alone_then_configs_by_the_name_of_the_package(tmp_path):
    found, = results(tmp_path, '-c', ALONE + NAMES)
    assert found['before'] is False and found['same'] is True
    assert len(set(found['picked'][0])) == 5
    assert found['nearest'] == list(range(30)) and found['inside'] == 30
    assert found['origin'].endswith('m2ae_mm/mmcv_ops/stand_in.py')


def test_configs_by_the_name_of_the_package_where_it_is_not_installed(tmp_path):
    """Without the hooks: once m2ae_mm is imported."""
    results(tmp_path, '-S', '-c', f'import json, sys; sys.path += {sys.path!r}; import m2ae_mm' + NAMES)


START = """
import sys
before = set(sys.modules)
import m2ae_mm_start
m2ae_mm_start.install()
print(*(set(sys.modules) - before), sys.meta_path[-1].__name__)
"""


def test_the_start_imports_nothing(tmp_path):
    assert python(tmp_path, '-S', '-c', START).stdout.split() == ['m2ae_mm_start', 'StandIn']


def test_a_compiled_extension_is_found_first(tmp_path):
    """Another mmcv on the path, with an extension of its own."""
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').touch()
    (tmp_path / 'mmcv' / '_ext.py').write_text('compiled = True')
    done = python(tmp_path, '-c', 'import mmcv._ext, sys; print(mmcv._ext.compiled, "torch" in sys.modules)',
                  paths=[tmp_path])
    assert done.stdout.split() == ['True', 'False'], done.stderr


def test_help_of_the_command_is_there_at_once(tmp_path):
    run = 'import sys; sys.argv[0] = "m2ae"; from m2ae_mm_start import main; main()'
    overview = python(tmp_path, '-X', 'importtime', '-c', run, '--help')
    options = python(tmp_path, '-X', 'importtime', '-c', run, 'train', '--help')
    assert 'fewshot' in overview.stdout and 'usage: m2ae train' in options.stdout
    assert not any(name in done.stderr for name in ('numpy', 'torch', 'mmengine') for done in (overview, options))
    wrong = python(tmp_path, '-c', run, 'trian')
    assert wrong.returncode == 1 and "no command 'trian'; did you mean 'train'" in wrong.stderr
