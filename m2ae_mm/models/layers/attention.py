"""Multi-head self-attention and its masks. ``True`` in a mask = left out."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import cpu_kernels, gpu_kernels, squared_distances

from .packing import Rows
from .token_layers import TokenLinear

# Share of the keys below which computing the visible pairs only is faster.
_FEW = 1 / 8


def attend(q: Tensor, k: Tensor, v: Tensor, left_out: Tensor | None, dropout: float = 0.,
           bias: Tensor | None = None) -> Tensor:
    """Fused attention with this project's mask polarity.

    Args:
        q: ``(B, heads, M, D)``.
        k: ``(B, heads, N, D)``.
        v: ``(B, heads, N, D)``.
        left_out: Bool, broadcasts to ``(B, heads, M, N)``, ``True`` = the query does not see the key.
        dropout: Share of attention weights to drop.
        bias: ``(B, heads, M, N)`` added before the softmax, without ``left_out``.

    Returns:
        ``(B, heads, M, D)``; float32 under autocast on a CPU.
    """
    # PyTorch's mask has the opposite polarity: True takes part.
    mask = bias if left_out is None else ~left_out
    if q.device.type == 'cpu' and torch.is_autocast_enabled('cpu'):
        # Its backward pass there takes more than twice as long in bfloat16.
        with torch.autocast('cpu', enabled=False):
            return attend(q.float(), k.float(), v.float(), left_out, dropout, bias)
    mask = mask if mask is None or mask.dtype == torch.bool else mask.to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


class SelfAttention(nn.Module):
    """Multi-head self-attention, qkv without bias.

    Args:
        dims: Token width, a multiple of ``num_heads``.
        num_heads: Attention heads.
    """

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        if dims % num_heads:
            raise ValueError(f'the token width must be a multiple of the heads, got {dims} and {num_heads}.')
        self.num_heads = num_heads
        self.qkv = TokenLinear(dims, 3 * dims, bias=False)
        self.proj = TokenLinear(dims, dims)

    def forward(self, x: Tensor, rows: Rows, pairs: Tensor | None = None, add_bias: bool = True) -> Tensor:
        """Attend among the tokens of each cloud.

        Args:
            x: ``(R, C)``.
            rows: Which of them make a cloud.
            pairs: Of :func:`pairs_within`, or bool ``(B, 1, L, L)`` for the L rows of the longest cloud, ``True`` =
                the query (row) does not see the key (column); None if all see each other.
            add_bias: Of the last layer; without, the caller adds it.

        Returns:
            ``(R, C)``.
        """
        qkv = self.qkv(x).view(len(x), 3, self.num_heads, -1)
        fused = gpu_kernels(qkv)
        if fused is not None and (pairs is None or pairs.dtype != torch.bool):
            x = fused.attention.PackedAttention.apply(qkv, rows.starts, rows.counts, rows.longest, pairs)
            return self.proj(x.flatten(1), add_bias)
        if pairs is None and rows.lengths is not None:
            # One cloud at a time, without masks: what is padded and masked would be computed, too.
            parts = (attend(*part.permute(1, 2, 0, 3).unsqueeze(1), None) for part in qkv.split(rows.lengths))
            x = torch.cat([part[0].transpose(0, 1) for part in parts])
            return self.proj(x.flatten(1), add_bias)
        qkv = rows.to_clouds(qkv)
        left_out = attention_mask(None, rows.padded, None) if pairs is None else pairs
        kernels = cpu_kernels(qkv, converts=True)
        if kernels is not None and _sees_few(left_out, qkv.shape[1]):
            x = kernels.attention.NeighborAttention.apply(qkv.float(), left_out[:, 0]).to(qkv.dtype)
        else:
            x = attend(*qkv.permute(2, 0, 3, 1, 4), left_out).transpose(1, 2)
        return self.proj(rows.of_clouds(x).flatten(1), add_bias)


def _sees_few(left_out: Tensor | None, length: int) -> bool:
    """Whether the mask has a row for each query and most keys are left out; some of the queries tell."""
    if left_out is None or left_out.shape[2] != length:
        return False
    some = left_out[:, :, ::8]
    return some.numel() - some.count_nonzero() < _FEW * some.numel()


def pairs_within(radius: float | None, x: Tensor, centers: Tensor, rows: Rows) -> Tensor | None:
    """Which tokens of a cloud see each other, for :class:`SelfAttention`: those nearer than ``radius``, or all.

    Args:
        radius: In the unit of the points; None for global attention.
        x: ``(R, C)`` tokens that are to attend.
        centers: ``(R, 3)`` float32 positions.
        rows: Which rows make a cloud.

    Returns:
        Marks of the GPU's kernels or a bool mask; None if all see each other.
    """
    if radius is None:
        return None
    kernels = gpu_kernels(x)
    if kernels is not None:
        return kernels.attention.near_marks(centers, rows.starts, rows.counts, rows.longest, radius)
    return attention_mask(rows.to_clouds(centers), rows.padded, radius)


def attention_mask(centers: Tensor, padded: Tensor | None, radius: float | None) -> Tensor | None:
    """Which pairs of tokens do not attend: padding and, with a radius, distance.

    Local spatial attention (paper section 3.3): pairs at a distance of
    ``radius`` or more are left out. Every token sees itself, so that a row is
    never empty, padding included.

    Args:
        centers: ``(B, L, 3)`` token positions.
        padded: ``(B, L)`` bool, ``True`` = padding, or None.
        radius: In the unit of the points, or None for global attention.

    Returns:
        Bool ``(B, 1, L, L)`` or ``(B, 1, 1, L)``, ``True`` = the query (row) does not see the key (column), or None if
        nothing is left out.
    """
    if radius is None:
        return None if padded is None else padded[:, None, None, :]
    kernels = gpu_kernels(centers)
    if kernels is not None and padded is None:
        return kernels.attention.far_pairs(centers.float(), radius).unsqueeze(1)
    left_out = squared_distances(centers.float(), centers.float()) >= radius**2
    if padded is not None:
        left_out |= padded.unsqueeze(1)
    left_out.diagonal(dim1=1, dim2=2).fill_(False)
    return left_out.unsqueeze(1)
