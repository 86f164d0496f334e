import pytest
import torch

from m2ae_mm.models.layers.fourier_embedding import FourierEmbedding


def embedding_along_x():
    embedding = FourierEmbedding(2)
    embedding.directions.copy_(torch.tensor([[1.], [0.], [0.]]))
    return embedding


def test_the_extent_is_one_turn_sines_first():
    found = embedding_along_x()(torch.tensor([[0.25, 9, 9], [0.5, 0, 0], [1, 0, 0]]))
    torch.testing.assert_close(found, torch.tensor([[1., 0], [0, -1], [0, 1]]), rtol=0, atol=1e-5)


def test_directions_are_normal_with_the_scale_given():
    torch.manual_seed(0)
    assert FourierEmbedding(4000, scale=3.).directions.std().item() == pytest.approx(3, rel=0.05)
    assert FourierEmbedding(4000).directions.std().item() == pytest.approx(1, rel=0.05)


def test_phases_stay_in_float32_under_autocast():
    positions = torch.tensor([[0.123456, 0, 0]])
    expected = embedding_along_x()(positions)
    with torch.autocast('cpu', torch.bfloat16):
        found = embedding_along_x()(positions)
    assert found.dtype == torch.float32 and torch.equal(found, expected)
