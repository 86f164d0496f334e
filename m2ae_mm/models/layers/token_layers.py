"""Linear layers and batch norms over tokens, channels last, with the kernels where they serve."""
import contextlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import cpu_kernels, gpu_kernels

from .exactness import are_exactly


def compute_dtype(x: Tensor) -> torch.dtype:
    """Autocast's choice, or that of ``x``."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def weights_cast_once(module: nn.Module, x: Tensor) -> contextlib.AbstractContextManager:
    """Within this context the kernels of a GPU find all weights of ``module`` cast already, with a few launches."""
    kernels = gpu_kernels(x)
    return contextlib.nullcontext() if kernels is None else kernels.linear.half_copies(module, compute_dtype(x))


class TokenLinear(nn.Linear):
    """``nn.Linear`` with the product of the kernels where they serve."""

    def forward(self, x: Tensor, add_bias: bool = True) -> Tensor:
        """``(..., in_features)`` to ``(..., out_features)``; without ``add_bias`` the caller adds it."""
        bias = self.bias if add_bias else None
        kernels = gpu_kernels(x)
        if kernels is not None:
            rows = x.flatten(0, -2).to(compute_dtype(x))
            return kernels.linear.Linear.apply(rows, self.weight, bias).view(*x.shape[:-1], -1)
        kernels = cpu_kernels(x)
        return (F if kernels is None else kernels.linear).linear(x, self.weight, bias)


class TokenLayer(nn.Module):
    """Linear, batch norm, ReLU, dropout on the last axis.

    Batch norm counts every row of every leading axis, as a 1x1 convolution
    followed by a batch norm does.

    Args:
        in_channels: Channels read.
        out_channels: Channels written.
        norm: Batch norm; the linear part has a bias only without it.
        dropout: Probability of dropping a channel of a token.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: bool = True, dropout: float = 0.) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels, bias=not norm)
        self.norm = nn.BatchNorm1d(out_channels) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in_channels)`` to ``(..., out_channels)``."""
        return self.finish(F.linear(x, *self.affine()) if self._folds() else self.linear(x))

    def affine(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of the linear part and, where its statistics are fixed, of the norm behind it."""
        if not self._folds():
            return self.linear.weight, self.linear.bias
        scale = self.norm.weight * (self.norm.running_var + self.norm.eps).rsqrt()
        return self.linear.weight * scale.unsqueeze(1), self.norm.bias - self.norm.running_mean * scale

    def finish(self, x: Tensor) -> Tensor:
        """What follows :meth:`affine`, for callers that compute that part themselves."""
        if not self._folds():
            return self.dropout(norm_relu(self.norm, x.flatten(0, -2).unsqueeze(1)).view_as(x))
        return self.dropout(F.relu(x))

    def is_as_built(self) -> bool:
        """Whether the linear part computes a product with :meth:`affine` and nothing else."""
        return are_exactly(nn.Linear, self.linear)

    def _folds(self) -> bool:
        """In evaluation, without gradients, a batch norm is a factor of the product before it."""
        return not torch.is_grad_enabled() and is_frozen_batch_norm(self.norm) and self.is_as_built()


class PointwiseNorm(nn.Module):
    """Linear layer (a 1x1 convolution) and BatchNorm on ``(B, N, C)`` tokens."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return self.norm(x.flatten(0, 1)).view(x.shape)


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


def ignores_padding(norm: nn.Module, x: Tensor) -> bool:
    """Whether :func:`norm_relu` computes the same for rows ``x`` with padding behind them and without."""
    return is_frozen_batch_norm(norm) or (gpu_kernels(x) is not None and takes_batch_statistics(norm))


def norm_relu(norm: nn.Module | None, x: Tensor, shared: Tensor | None = None, total: Tensor | None = None) -> Tensor:
    """``relu(norm(x + shared))``.

    Args:
        norm: Of rows ``(T * k, C)``; None for none, and ``x`` is overwritten.
        x: ``(T, k, C)``.
        shared: ``(T, C)``, added to all k members of its group, or None.
        total: ``(1,)`` int64 of the T groups that are no padding, None if all are; a norm that counts them has to leave
            padding out, see :func:`ignores_padding`.

    Returns:
        ``(T, k, C)``, anything for padding.
    """
    count, k, _ = x.shape
    kernels = gpu_kernels(x)
    if kernels is None or norm is None or not takes_batch_statistics(norm) or count * k < 2:
        if shared is not None:
            x = x.add_(shared.unsqueeze(1)) if norm is None else x + shared.unsqueeze(1)
        # What a norm returned may be seen by its hooks, and autograd would copy it, as it is a view.
        return F.relu(x, inplace=True) if norm is None else F.relu(norm(x.flatten(0, 1)).view_as(x))
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
