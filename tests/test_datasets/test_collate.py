import torch

from m2ae_mm.datasets import M2AEPackShape, m2ae_collate


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
