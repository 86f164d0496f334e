"""Running statistics of a BatchNorm whose batch statistics a fused kernel has computed."""
import torch
from torch import Tensor, nn


def takes_batch_statistics(norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm in training with a running average (SyncBN asks other processes)."""
    return type(norm) is nn.BatchNorm1d and norm.training and norm.track_running_stats and norm.momentum is not None


@torch.no_grad()
def follow(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, members: int | Tensor) -> None:
    """Move the running statistics towards those of a batch (biased variance) of ``members`` rows."""
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    # Of one member the variance is 0 in any case.
    norm.running_var.lerp_(variance * (members / (members - 1 + (members == 1))), norm.momentum)
