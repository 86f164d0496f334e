import pytest
import torch

from m2ae_mm.checkpoint.point_m2ae_keys import convert_point_m2ae_pretrain


def test_convolutions_become_linear_layers():
    published = {'rec_head.weight': torch.arange(6.).view(2, 3, 1), 'rec_head.bias': torch.zeros(2)}
    converted = convert_point_m2ae_pretrain(published)
    assert torch.equal(converted['head.predict_points.weight'], torch.arange(6.).view(2, 3))
    assert converted['head.predict_points.bias'].shape == (2, )


def test_a_linear_layer_with_one_input_keeps_its_axes():
    weights = torch.arange(2.).view(2, 1)
    assert torch.equal(convert_point_m2ae_pretrain({'rec_head.weight': weights})['head.predict_points.weight'], weights)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'cls_token' is no name of a published Point-M2AE"):
        convert_point_m2ae_pretrain({'cls_token': torch.zeros(1)})
