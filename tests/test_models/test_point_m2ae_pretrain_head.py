import pytest
import torch

from m2ae_mm.models.heads.point_m2ae_pretrain_head import PointM2AEPretrainHead, Reconstruction
from m2ae_mm.models.layers.scales_and_masks import build_scales


@pytest.mark.parametrize('masked', [[[True], [True]], [[True], [False]]])
def test_loss_is_the_mean_over_what_is_masked(masked):
    """Single points at distances 1 and 2, so squared and both ways 2 and 8."""
    predicted, target = torch.zeros(2, 1, 1, 3), torch.tensor([[[[1., 0, 0]]], [[[0, 2, 0]]]])
    head = PointM2AEPretrainHead(4, 1)
    whole = Reconstruction(predicted, target, torch.zeros(2, 1, 3), torch.tensor(masked))
    assert head.loss(whole)['loss_chamfer'].item() == pytest.approx(5 if all(masked[1]) else 2)
    assert [head.loss(part)['loss_chamfer'].item() for part in whole.split()] == pytest.approx(
        [2, 8 * masked[1][0]])
    assert whole.select()[1].shape == (sum(map(sum, masked)), 1, 3)


def test_nothing_masked_gives_zero_connected_to_the_network():
    points, head = torch.rand(2, 20, 3), PointM2AEPretrainHead(4, 2)
    scales = build_scales(points, [5], [3])
    result = head(torch.rand(2, 5, 4), points, scales, [torch.zeros(2, 5, dtype=torch.bool)])
    loss = head.loss(result)['loss_chamfer']
    loss.backward()
    assert loss == 0 and (head.predict_points.weight.grad == 0).all()


def test_extra_channels_are_not_reconstructed():
    points = torch.rand(2, 20, 6)
    scales, masked = build_scales(points[..., :3], [5], [3]), [torch.ones(2, 5, dtype=torch.bool)]
    head, decoded = PointM2AEPretrainHead(4, 2), torch.rand(2, 5, 4)
    coloured, plain = (head(decoded, each, scales, masked).target for each in (points, points[..., :3]))
    assert torch.equal(coloured, plain)
