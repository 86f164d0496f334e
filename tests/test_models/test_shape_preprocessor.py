import math

import pytest
import torch

from m2ae_mm.models.data_preprocessors import stack_clouds
from m2ae_mm.ops import furthest_point_sample
from mmdet3d.registry import MODELS, TRANSFORMS
from mmdet3d.structures import Det3DDataSample, PointData


def clouds(batch=2, num_points=60):
    return torch.randn(batch, num_points, 4, generator=torch.Generator().manual_seed(0))


def test_scale_and_shift_differ_by_cloud_and_axis_and_leave_channels():
    points = torch.tensor([[1., 1, 1, 7], [-1, -1, -1, 7]]).repeat(300, 1, 1)
    result = TRANSFORMS.build(dict(type='M2AEBatchScaleShift'))(points)
    scale, shift = (result[:, 0] - result[:, 1])[:, :3] / 2, result.mean(1)[:, :3]
    assert 2 / 3 <= scale.min() < 0.7 and 1.45 < scale.max() <= 1.5
    assert -0.2 <= shift.min() < -0.19 and 0.19 < shift.max() <= 0.2
    assert (scale.std(0) > 0.1).all() and (scale.std(1) > 0).all()
    assert (result[..., 3] == 7).all()


def test_one_factor_for_all_axes():
    points = torch.tensor([[1., 1, 1], [-1, -1, -1]]).repeat(300, 1, 1)
    transform = dict(type='M2AEBatchScaleShift', scale_range=(0.8, 1.25), per_axis=False, shift_range=0.1)
    result = TRANSFORMS.build(transform)(points)
    scale, shift = (result[:, 0] - result[:, 1]) / 2, result.mean(1)
    assert 0.8 <= scale.min() < 0.82 and 1.23 < scale.max() <= 1.25
    torch.testing.assert_close(scale, scale[:, :1].expand(-1, 3))
    assert (shift.std(1) > 0).all() and 0.09 < shift.max() <= 0.1


@pytest.mark.parametrize('axis,first,second', [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_rotation_keeps_heights_and_distances_and_reaches_every_angle(axis, first, second):
    points = clouds(1000, 5)
    result = TRANSFORMS.build(dict(type='M2AEBatchRotate', axis=axis))(points)
    torch.testing.assert_close(result[..., [axis, 3]], points[..., [axis, 3]])
    torch.testing.assert_close(result[..., :3].norm(dim=-1), points[..., :3].norm(dim=-1))
    torch.testing.assert_close((result[:, 0] - result[:, 1]).norm(dim=-1), (points[:, 0] - points[:, 1]).norm(dim=-1))
    before, after = (torch.atan2(p[:, 0, second], p[:, 0, first]) for p in (points, result))
    angles = ((after - before) % (2 * math.pi)).sort().values
    assert angles[0] < 0.3 and angles[-1] > 2 * math.pi - 0.3 and angles.diff().max() < 0.3


def test_clouds_of_a_batch_may_be_turned_alike():
    points = clouds(1, 5).repeat(9, 1, 1)
    transform = TRANSFORMS.build(dict(type='M2AEBatchRotate', axis=1, per_cloud=False))
    first, second = transform(points), transform(points)
    assert torch.equal(first, first[:1].expand_as(first)) and not torch.equal(first, second)
    assert not torch.equal(first, points)


def test_furthest_points_in_evaluation_and_a_subset_in_training():
    points = clouds()
    picked = furthest_point_sample(points[..., :3], 20)
    fixed = TRANSFORMS.build(dict(type='M2AEBatchSample', num_points=20))(points)
    assert torch.equal(fixed, torch.stack([cloud[i] for cloud, i in zip(points, picked)]))


def test_random_subset_of_furthest_points():
    points = clouds().repeat(20, 1, 1)
    every = TRANSFORMS.build(dict(type='M2AEBatchSample', num_points=20, num_candidates=20))(points)
    subset = TRANSFORMS.build(dict(type='M2AEBatchSample', num_points=15, num_candidates=20))(points)
    assert subset.shape == (40, 15, 4)
    for cloud, result in zip(points, subset):
        same = (cloud[:, None] == result[None]).all(-1)
        assert same.any(0).all() and same.any(1).sum() == 15
    # Sampling spreads: no two of 20 furthest points are as close as the closest of all 60.
    def closest(xyz):
        return (torch.cdist(xyz, xyz) + 100 * torch.eye(xyz.shape[1])).amin((1, 2))
    assert (closest(every[..., :3]) > 2 * closest(points[..., :3])).all()
    # The first point is a random one, so the same cloud gives different picks.
    assert len({tuple(sorted(cloud[:, 0].tolist())) for cloud in every[::2]}) > 5


def test_every_candidate_may_be_in_the_subset(monkeypatch):
    transform = TRANSFORMS.build(dict(type='M2AEBatchSample', num_points=5, num_candidates=20))
    monkeypatch.setattr(type(transform), '_with_random_first', staticmethod(lambda points: points))
    points = clouds(1)
    candidates = points[0, furthest_point_sample(points[..., :3], 20)[0], 0]
    subsets = transform(points.repeat(100, 1, 1))[..., 0]
    assert torch.equal(subsets.unique(), candidates.unique())
    assert len({tuple(sorted(subset.tolist())) for subset in subsets}) > 50


@pytest.mark.parametrize('candidates', [None, 80])
def test_small_clouds_keep_every_point_and_repeat_evenly(candidates):
    points = clouds()
    result = TRANSFORMS.build(dict(type='M2AEBatchSample', num_points=75, num_candidates=candidates))(points)
    counts = (points[:, :, None] == result[:, None]).all(-1).sum(-1)
    assert counts.unique().tolist() == [1, 2] and (counts.sum(1) == 75).all()


@pytest.mark.parametrize('candidates', [None, 80])
def test_what_fills_clouds_up_is_no_point_of_its_own(candidates):
    full = clouds()
    filled = torch.stack([full[0], full[1, torch.arange(60) % 20]])
    result = TRANSFORMS.build(dict(type='M2AEBatchSample', num_points=50, num_candidates=candidates))(filled)
    counts = (filled[:, :, None] == result[:, None]).all(-1).sum(-1)
    assert sorted(counts[0].tolist()) == [0] * 10 + [1] * 50
    assert sorted(counts[1, :20].tolist()) == [2] * 10 + [3] * 10


def test_batch_is_stacked_and_transforms_follow_the_mode():
    preprocessor = MODELS.build(
        dict(type='M2AEShapePreprocessor', test_transforms=[dict(type='M2AEBatchSample', num_points=10)]))
    data = dict(inputs=dict(points=list(clouds())), data_samples=[Det3DDataSample(), Det3DDataSample()])
    assert preprocessor(data, training=True)['inputs']['points'].shape == (2, 60, 4)
    assert preprocessor(data)['inputs']['points'].shape == (2, 10, 4)


def test_nan_is_named_in_a_stacked_batch_and_in_a_list():
    points = clouds()
    points[1, 7, 0] = torch.nan
    samples = [Det3DDataSample(metainfo=dict(name=name)) for name in ('ball/0.npy', 'ball/1.npy')]
    preprocessor = MODELS.build(dict(type='M2AEShapePreprocessor'))
    for batch in (points, list(points)):
        with pytest.raises(ValueError, match=r"the first at \(1, 7\) of 'ball/1.npy'"):
            preprocessor(dict(inputs=dict(points=batch), data_samples=samples))


@TRANSFORMS.register_module()
class EveryOther:
    """A batch transform of somebody else's."""

    def __call__(self, points):
        return points[:, ::2]


def test_clouds_may_come_without_samples():
    preprocessor = MODELS.build(dict(type='M2AEShapePreprocessor'))
    data = preprocessor(dict(inputs=dict(points=list(clouds())), data_samples=None))
    assert data['inputs']['points'].shape == (2, 60, 4)


@pytest.mark.parametrize('transform', [
    dict(type='M2AEBatchSample', num_points=10),
    dict(type='M2AEBatchSample', num_points=60),  # all, in another order
    dict(type='EveryOther'),
])
def test_sampling_must_not_part_points_from_their_labels(transform):
    preprocessor = MODELS.build(dict(type='M2AEShapePreprocessor', test_transforms=[transform]))
    sample = Det3DDataSample(gt_pts_seg=PointData(pts_semantic_mask=torch.zeros(60, dtype=torch.long)))
    with pytest.raises(ValueError, match='part them from their labels'):
        preprocessor(dict(inputs=dict(points=list(clouds(1))), data_samples=[sample]))


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
