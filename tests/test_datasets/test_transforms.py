import numpy as np
import pytest
import torch

from m2ae_mm.datasets import M2AEPackShape, m2ae_collate
from mmdet3d.registry import TRANSFORMS


def run(points, labels=None, **config):
    results = dict(points=points) if labels is None else dict(points=points, pts_semantic_mask=labels)
    return TRANSFORMS.build(config)(results)


def test_random_subset_has_no_repeats_and_follows_the_seed():
    points = np.arange(300, dtype=np.float32).reshape(100, 3)
    np.random.seed(3)
    first = run(points, type='M2AESamplePoints', num_points=40)['points']
    second = run(points, type='M2AESamplePoints', num_points=40)['points']
    np.random.seed(3)
    again = run(points, type='M2AESamplePoints', num_points=40)['points']
    assert len(np.unique(first[:, 0])) == 40
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_labels_follow_the_points():
    points = np.arange(300, dtype=np.float32).reshape(100, 3)
    results = run(points, np.arange(100), type='M2AESamplePoints', num_points=30)
    assert np.array_equal(results['points'][:, 0], 3 * results['pts_semantic_mask'])
    results = TRANSFORMS.build(dict(type='M2AESamplePoints', num_points=30))(
        dict(points=points, pts_instance_mask=np.arange(100)))
    assert np.array_equal(results['points'][:, 0], 3 * results['pts_instance_mask'])


def test_seeded_subset_is_the_same_for_a_shape_and_not_its_first_points():
    points = np.arange(300, dtype=np.float32).reshape(100, 3)
    step = TRANSFORMS.build(dict(type='M2AESamplePoints', num_points=40, seed=1))
    first, again, other = (step(dict(points=points, sample_idx=i))['points'] for i in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first[:, 0].max() > 3 * 60 and len(np.unique(first[:, 0])) == 40


def test_first_points():
    points = np.arange(30, dtype=np.float32).reshape(10, 3)
    assert np.array_equal(run(points, type='M2AESamplePoints', num_points=4, random=False)['points'], points[:4])


def test_unit_sphere():
    points = np.random.default_rng(0).normal(5, 3, (200, 4)).astype(np.float32)
    result = run(points, type='M2AENormalizeUnitSphere')['points']
    assert np.allclose(result[:, :3].mean(0), 0, atol=1e-6)
    assert np.linalg.norm(result[:, :3], axis=1).max() == pytest.approx(1)
    assert np.array_equal(result[:, 3], points[:, 3])
    assert np.array_equal(run(points[:1], type='M2AENormalizeUnitSphere')['points'][0, :3], np.zeros(3))


def test_small_clouds_keep_every_point_and_as_many_are_shuffled():
    points = np.arange(30, dtype=np.float32).reshape(10, 3)
    assert len(np.unique(run(points, type='M2AESamplePoints', num_points=25)['points'][:, 0])) == 10
    result = run(points, type='M2AESamplePoints', num_points=11)['points']
    assert np.array_equal(result[:10], points) and result[10].tolist() in points.tolist()
    np.random.seed(0)
    shuffled = run(points, type='M2AESamplePoints', num_points=10)['points']
    assert sorted(shuffled.tolist()) == points.tolist() != shuffled.tolist()


def test_normalising_leaves_what_it_was_given_alone():
    points = np.array([[2, 0, 0], [4, 0, 0]], np.float32)
    assert run(points, type='M2AENormalizeUnitSphere')['points'].tolist() == [[-1, 0, 0], [1, 0, 0]]
    assert points.tolist() == [[2, 0, 0], [4, 0, 0]]


@pytest.mark.parametrize('label, packed', [(0, 0), (7, 7), (-1, None)])
def test_the_first_class_is_a_label_and_minus_one_is_none(label, packed):
    sample = run(np.zeros((2, 3)), type='M2AEPackShape')['data_samples']
    assert 'gt_label' not in sample
    results = TRANSFORMS.build(dict(type='M2AEPackShape'))(dict(points=np.zeros((2, 3)), gt_label=label))
    assert results['data_samples'].get('gt_label') == packed


@pytest.mark.parametrize('results, name', [
    (dict(name='bed/a.npy', sample_idx=3), "'bed/a.npy'"), (dict(sample_idx=3), 'sample 3'),
    (dict(lidar_points=dict(lidar_path='points/a.bin'), sample_idx=3), "'points/a.bin'"), ({}, 'sample without a name'),
])
@pytest.mark.parametrize('random', [True, False])
def test_a_cloud_without_points_is_named(results, name, random):
    step = TRANSFORMS.build(dict(type='M2AESamplePoints', num_points=8, random=random))
    with pytest.raises(ValueError, match=f'{name} has no points to sample'):
        step(dict(points=np.empty((0, 3)), **results))


def test_normalising_starts_in_double_precision():
    points = np.array([[0, 0, 0], [0, 0, 2]]) + [388096.25, 3948996.75, 40.]
    assert run(points, type='M2AENormalizeUnitSphere')['points'].tolist() == [[0, 0, -1], [0, 0, 1]]


def _sample(points, label):
    return M2AEPackShape()(dict(points=torch.full((points, 3), float(label)).numpy(), gt_label=label, name=f's{label}'))


def test_clouds_of_one_size_become_one_tensor():
    batch = m2ae_collate([_sample(5, 1), _sample(5, 2)])
    assert batch['inputs']['points'].shape == (2, 5, 3)
    assert batch['inputs']['points'][:, 0, 0].tolist() == [1, 2]
    assert [(sample.gt_label, sample.name) for sample in batch['data_samples']] == [(1, 's1'), (2, 's2')]


def test_clouds_of_several_sizes_stay_a_list():
    clouds = m2ae_collate([_sample(5, 1), _sample(4, 2)])['inputs']['points']
    assert [len(cloud) for cloud in clouds] == [5, 4]
