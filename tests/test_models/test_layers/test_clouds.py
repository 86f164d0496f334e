import pytest
import torch

from m2ae_mm.models.layers.clouds import stack_clouds
from mmdet3d.structures import Det3DDataSample


def test_smaller_clouds_repeat_from_their_start():
    small, large = torch.arange(6.).view(2, 3), torch.arange(15.).view(5, 3)
    stacked = stack_clouds([small, large])
    assert torch.equal(stacked[0], small[[0, 1, 0, 1, 0]])
    assert torch.equal(stacked[1], large)


@pytest.mark.parametrize('clouds, message', [
    ([torch.zeros(4, 2)], r'\[2\] columns'),
    ([torch.zeros(4, 3), torch.zeros(4, 6)], r'\[3, 6\] columns'),
    ([torch.zeros(4, 3), torch.zeros(0, 3)], 'cloud 1 of the batch has no points'),
    ([torch.zeros(4, 3), torch.full((4, 3), torch.nan)], r'holds 4 points with NaN or infinity, the first at \(1, 0\)'),
])
def test_bad_clouds_are_named(clouds, message):
    with pytest.raises(ValueError, match=message):
        stack_clouds(clouds)


@pytest.mark.parametrize('bad', [torch.full((4, 3), torch.inf), torch.zeros(0, 3)])
@pytest.mark.parametrize('metainfo, name', [
    (dict(name='chair/7.npy', sample_idx=3), "'chair/7.npy'"),
    (dict(lidar_path='points/scene0191_00.bin'), "'points/scene0191_00.bin'"),
    (dict(sample_idx=3), 'sample 3'),
])
def test_bad_clouds_have_the_name_of_their_sample(bad, metainfo, name):
    samples = [Det3DDataSample(metainfo=dict(name='good')), Det3DDataSample(metainfo=metainfo)]
    with pytest.raises(ValueError, match=name):
        stack_clouds([torch.zeros(4, 3), bad], samples)
