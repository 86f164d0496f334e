"""What a BatchNorm needs of a batch, and its running statistics where a fused kernel has computed the batch's."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import gpu_kernels

from .exactness import are_exactly


def takes_batch_statistics(norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm in training with a running average (SyncBN asks other processes)."""
    return (are_exactly(nn.BatchNorm1d, norm) and norm.affine and norm.training and norm.track_running_stats
            and norm.momentum is not None)


def is_frozen_batch_norm(norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm in evaluation, SyncBN included: a factor and a shift for each channel."""
    is_batch_norm = are_exactly(nn.BatchNorm1d, norm) or are_exactly(nn.SyncBatchNorm, norm)
    return is_batch_norm and norm.affine and norm.track_running_stats and not norm.training


@torch.no_grad()
def update_running_statistics(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics towards those of a batch, of which ``variance`` is the unbiased one."""
    norm.num_batches_tracked.add_(1)
    torch._foreach_lerp_([norm.running_mean, norm.running_var], [mean, variance], norm.momentum)  # one launch


def leaves_out_padding(norm: nn.Module, x: Tensor) -> bool:
    """Whether :func:`norm_relu` computes the same for rows ``x`` with padding behind them and without."""
    return is_frozen_batch_norm(norm) or (gpu_kernels(x) is not None and takes_batch_statistics(norm))


def norm_relu(norm: nn.Module | None, x: Tensor, shared: Tensor | None = None, total: Tensor | None = None) -> Tensor:
    """``relu(norm(x + shared))``.

    Args:
        norm: Of rows ``(T * k, C)``; None for none, and ``x`` is overwritten.
        x: ``(T, k, C)``.
        shared: ``(T, C)``, added to all k members of its group, or None.
        total: ``(1,)`` int64 of the T groups that are no padding, None if all are; a norm that counts them has to leave
            padding out, see :func:`leaves_out_padding`.

    Returns:
        ``(T, k, C)``, anything for padding.
    """
    count, k, _ = x.shape
    kernels = gpu_kernels(x)
    if kernels is None or norm is None or not takes_batch_statistics(norm) or count * k < 2:
        if shared is not None:
            x = x.add_(shared.unsqueeze(1)) if norm is None else x + shared.unsqueeze(1)
        return F.relu(x if norm is None else norm(x.flatten(0, 1)).view_as(x), inplace=True)
    if total is None:
        total = torch.full((1, ), count, dtype=torch.long, device=x.device)
    rows, mean, variance = kernels.batch_norm.BatchNormReLU.apply(
        x.flatten(0, 1).contiguous(), shared, k, total, norm.weight, norm.bias, norm.eps)
    update_running_statistics(norm, mean, variance)
    return rows.view_as(x)


def check_rows(norm: nn.Module, rows: int) -> None:
    """Refuse a single shape in training, of which there is no variance (SyncBN asks other processes).

    Raises:
        ValueError: Saying what to set.
    """
    if rows < 2 and norm.training and type(norm) is nn.BatchNorm1d:
        raise ValueError(f'BatchNorm needs two shapes or more in a batch of training, got {rows}. Set '
                         'train_dataloader.batch_size to 2 or more, and train_dataloader.drop_last=True if the last '
                         'batch has a single shape left.')
