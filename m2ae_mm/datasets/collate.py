"""From samples to a batch."""
from collections.abc import Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS


@FUNCTIONS.register_module()
def m2ae_collate(samples: Sequence[dict]) -> dict:
    """mmengine's ``pseudo_collate`` with the clouds as one tensor where they have one size.

    A loading process hands every tensor on in shared memory of its own, and
    the process that trains would have to open and stack them.

    Args:
        samples: What a pipeline with ``M2AEPackShape`` at its end returns.

    Returns:
        ``inputs``: ``dict(points=(B, N, C))``, or a list of B clouds of
        different sizes; ``data_samples``: list of B.
    """
    batch = pseudo_collate(samples)
    clouds = batch['inputs']['points']
    if len({cloud.shape for cloud in clouds}) == 1:
        batch['inputs']['points'] = torch.stack(clouds)
    return batch
