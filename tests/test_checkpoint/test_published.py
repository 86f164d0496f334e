import pytest
import torch

from m2ae_mm.checkpoint import convert_published, published


def test_no_tensor_is_lost_where_two_names_become_one(monkeypatch):
    model = published.PublishedModel('', 'a model', ('first', 'last'), '', lambda tensors: dict(only=tensors['first']))
    monkeypatch.setattr(published, 'PUBLISHED', [model])
    with pytest.raises(ValueError, match='2 tensors of a model became 1: two names were mapped to one'):
        convert_published(dict(first=torch.zeros(1), last=torch.ones(1)))
