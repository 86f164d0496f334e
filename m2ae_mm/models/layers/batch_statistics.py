"""What a BatchNorm needs of a batch, and its running statistics where a fused kernel has computed the batch's."""
import torch
from torch import Tensor, nn

from .exactness import are_exactly


def takes_batch_statistics(norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm in training with a running average (SyncBN asks other processes)."""
    return (are_exactly(nn.BatchNorm1d, norm) and norm.affine and norm.training and norm.track_running_stats
            and norm.momentum is not None)


def is_a_factor(norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm in evaluation, SyncBN included: a factor and a shift for each channel."""
    is_batch_norm = are_exactly(nn.BatchNorm1d, norm) or are_exactly(nn.SyncBatchNorm, norm)
    return is_batch_norm and norm.affine and norm.track_running_stats and not norm.training


@torch.no_grad()
def follow(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics towards those of a batch, of which ``variance`` is the unbiased one."""
    norm.num_batches_tracked.add_(1)
    torch._foreach_lerp_([norm.running_mean, norm.running_var], [mean, variance], norm.momentum)  # one launch


def check_rows(norm: nn.Module, rows: int) -> None:
    """Refuse a single shape in training, of which there is no variance (SyncBN asks other processes).

    Raises:
        ValueError: Saying what to set.
    """
    if rows < 2 and norm.training and type(norm) is nn.BatchNorm1d:
        raise ValueError(f'BatchNorm needs two shapes or more in a batch of training, got {rows}. Set '
                         'train_dataloader.batch_size to 2 or more, and train_dataloader.drop_last=True if the last '
                         'batch has a single shape left.')
