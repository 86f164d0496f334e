"""Installation: once, everywhere, and around a compiled mmcv."""
import sys
import types

import mmcv.ops
import mmcv.ops.group_points
import mmcv.ops.points_sampler
import pytest
import torch

from m2ae_mm.mmcv_ops import install, installation, wrappers
from m2ae_mm.mmcv_ops.extension import EXTENSION_NAME, CpuExtension


def test_is_idempotent():
    extension, sample = sys.modules[EXTENSION_NAME], mmcv.ops.furthest_point_sample
    assert install() is False
    assert sys.modules[EXTENSION_NAME] is extension and mmcv.ops.furthest_point_sample is sample


def test_functions_that_call_cuda_are_replaced_wherever_they_are_imported():
    from mmdet3d.models.dense_heads import vote_head
    from mmdet3d.structures.bbox_3d import base_box3d
    users = dict(furthest_point_sample=(mmcv.ops.points_sampler, vote_head), knn=(mmcv.ops.group_points, ),
                 points_in_boxes_all=(base_box3d, ), points_in_boxes_part=(base_box3d, ))
    for name, modules in users.items():
        submodule = 'points_in_boxes' if name.startswith('points_in') else name
        replaced = getattr(mmcv.ops, name)
        assert replaced.__module__ == EXTENSION_NAME
        assert all(getattr(each, name) is replaced for each in (*modules, sys.modules[f'mmcv.ops.{submodule}']))
    assert users.keys() == wrappers.REPLACEMENTS.keys()


class _Compiled(types.ModuleType):
    """A compiled extension that notes which of its functions are called."""

    def __init__(self):
        super().__init__(EXTENSION_NAME)
        self.called = []

    def __getattr__(self, name):
        if name.startswith('_'):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.called.append(name)


@pytest.fixture
def compiled_mmcv(monkeypatch):
    """A stand-in for an installed, compiled mmcv with one submodule and one wrapper that fails without CUDA."""
    extension = _Compiled()

    def original_knn(k, xyz, center_xyz=None, transposed=False):
        return 'mmcv'

    submodule = types.ModuleType('mmcv.ops.made_up')
    submodule.ext_module, submodule.knn = extension, original_knn
    package = types.ModuleType('mmcv.ops')
    for name in wrappers.REPLACEMENTS:
        setattr(package, name, original_knn if name == 'knn' else wrappers.REPLACEMENTS[name])
    user = types.ModuleType('mmdet3d.made_up')
    user.knn = original_knn
    for name in [name for name in sys.modules if name.startswith('mmcv.ops')]:
        monkeypatch.delitem(sys.modules, name)
    for module in (submodule, package, user):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, EXTENSION_NAME, extension)
    return types.SimpleNamespace(extension=extension, submodule=submodule, package=package, user=user)


def test_compiled_extension_is_left_in_place_and_serves_other_devices(compiled_mmcv):
    assert install() is True and install() is True
    assert sys.modules[EXTENSION_NAME] is compiled_mmcv.extension
    wrapped = compiled_mmcv.submodule.ext_module
    assert isinstance(wrapped, CpuExtension) and wrapped.compiled is compiled_mmcv.extension

    points, output = torch.rand(1, 5, 3), torch.zeros(1, 2, dtype=torch.int32)
    wrapped.furthest_point_sampling_forward(points, None, output, b=1, n=5, m=2)
    assert output[0, 1] != 0 and not compiled_mmcv.extension.called
    wrapped.furthest_point_sampling_forward(points.to('meta'), None, output, b=1, n=5, m=2)
    wrapped.box_iou_rotated(points)  # has a CPU kernel in mmcv
    wrapped.roi_align_forward(points)  # not ours
    assert compiled_mmcv.extension.called == ['furthest_point_sampling_forward', 'box_iou_rotated',
                                              'roi_align_forward']


@pytest.mark.parametrize('name', ['box_iou_rotated', 'nms', 'nms_rotated', 'points_in_boxes_cpu_forward'])
def test_what_a_compiled_mmcv_has_for_the_cpu_stays_there(name):
    extension = _Compiled()
    getattr(CpuExtension(extension), name)(torch.zeros(1, 5))
    assert extension.called == [name]


def test_compiled_wrappers_choose_by_device(compiled_mmcv):
    install()
    points = torch.rand(1, 5, 3)
    for module in (compiled_mmcv.package, compiled_mmcv.user, compiled_mmcv.submodule):
        assert module.knn(1, points)[0, 0].tolist() == [0, 1, 2, 3, 4]
        assert module.knn(1, points.to('meta')) == 'mmcv'
        assert module.knn(1, xyz=points.to('meta')) == 'mmcv'
        assert module.knn(1, points, points.to('meta')) == 'mmcv'


def test_no_mmcv_at_all(monkeypatch):
    monkeypatch.delitem(sys.modules, EXTENSION_NAME)
    monkeypatch.setattr(installation, 'find_spec', lambda name: None)
    with pytest.raises(ModuleNotFoundError, match='pip install mmcv-lite'):
        install()


def test_compiled_extension_is_found_on_disk_without_being_imported(monkeypatch, tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').touch()
    monkeypatch.delitem(sys.modules, EXTENSION_NAME)
    monkeypatch.setattr(installation, 'find_spec',
                        lambda name: types.SimpleNamespace(submodule_search_locations=[str(tmp_path / 'mmcv')]))
    assert not installation._has_compiled_extension()
    (tmp_path / 'mmcv' / '_ext.py').write_text('raise RuntimeError')
    assert installation._has_compiled_extension()
