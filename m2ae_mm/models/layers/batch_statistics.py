"""Running statistics of a BatchNorm whose batch statistics a fused kernel has computed."""
import torch
from torch import Tensor, nn


def takes_batch_statistics(norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm in training with a running average (SyncBN asks other processes)."""
    return type(norm) is nn.BatchNorm1d and norm.training and norm.track_running_stats and norm.momentum is not None


@torch.no_grad()
def follow(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics towards those of a batch, of which ``variance`` is the unbiased one."""
    norm.num_batches_tracked.add_(1)
    torch._foreach_lerp_([norm.running_mean, norm.running_var], [mean, variance], norm.momentum)  # one launch
