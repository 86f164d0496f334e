import torch
from torch import nn

from m2ae_mm.models.layers.mini_pointnet import MiniPointNet


def test_split_product_equals_the_concatenated_one():
    torch.manual_seed(0)
    layer = MiniPointNet(3, (8, 12, 16), 5)
    groups = torch.randn(6, 4, 3)
    local = layer.local(torch.relu(layer.lift_norm(layer.lift(groups).flatten(0, 1)))).view(6, 4, 12)
    joined = torch.cat([local.amax(1, keepdim=True).expand(-1, 4, -1), local], -1)
    reference = layer.join(joined).flatten(0, 1)
    layer.join_norm.reset_running_stats()
    layer.lift_norm.reset_running_stats()
    expected = layer.out(torch.relu(layer.join_norm(reference))).view(6, 4, 5).amax(1)
    torch.testing.assert_close(layer(groups), expected)


def test_members_may_come_in_any_order():
    torch.manual_seed(0)
    layer = MiniPointNet.merging(6, 10).eval()
    groups = torch.randn(5, 7, 6)
    torch.testing.assert_close(layer(groups), layer(groups.flip(1)))
    assert isinstance(layer.out, nn.Linear) and layer.out.out_features == 10


def test_evaluation_in_parts_changes_nothing(monkeypatch):
    torch.manual_seed(0)
    layer = MiniPointNet(3, (8, 12, 16), 5).eval()
    groups = torch.randn(10, 4, 3)
    whole = layer(groups).detach()
    monkeypatch.setattr('m2ae_mm.models.layers.mini_pointnet._PART_BYTES', 3 * 4 * 4 * 16)  # 3 groups a part
    with torch.no_grad():
        torch.testing.assert_close(layer(groups), whole)
