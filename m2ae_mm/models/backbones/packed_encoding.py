"""What :class:`PointM2AEEncoder` computes, on packed rows with the fused kernels of a GPU."""
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..layers.packed_transformer import dtype_of, run_packed
from ..layers.packing import Rows, RowSizes
from ..layers.scales import Scale

if TYPE_CHECKING:
    from .point_m2ae_encoder import PointM2AEEncoder


def encode_packed(encoder: 'PointM2AEEncoder', points: Tensor, scales: Sequence[Scale],
                  masked: Sequence[Tensor] | None, sizes: Sequence[int] | None, kernels: ModuleType) -> list[Tensor]:
    """See :meth:`PointM2AEEncoder.encode`.

    Args:
        encoder: Whose parameters are used.
        points: ``(B, N, in_channels)``.
        scales: S scales, fine to coarse.
        masked: ``(B, N_i)`` bool per scale, ``True`` = masked, or None.
        sizes: Rows per scale; None finds them, for which the host waits.
        kernels: :func:`m2ae_mm.ops.gpu_kernels`.
    """
    if masked is not None and sizes is None:
        sizes = RowSizes().fit(masked)
    device, batch = points.device.type, len(points)
    dtype = dtype_of(device)
    outputs, tokens, below = [], points[..., 3:].float(), points[..., :3].float()
    finer = None
    with torch.autocast(device, enabled=False), kernels.half_copies(encoder, dtype):
        for i, scale in enumerate(scales):
            longest = scale.centers.shape[1]
            rows = (Rows.of_all(batch, longest, points.device) if masked is None
                    else Rows.of(masked[i], sizes[i]))
            groups = (_first_groups(below, tokens, scale, rows) if i == 0
                      else _groups(tokens, scale, rows, finer, below.shape[1]))
            tokens = encoder.embeddings[i].embed_packed(groups.to(dtype), rows.total, kernels)
            centers = rows.take(scale.centers)
            residual = run_packed(encoder.stages[i], tokens, centers, rows, longest, encoder.radii[i], kernels)
            tokens, output, _ = residual.add_and_norm(encoder.norms[i], kernels)
            outputs.append(rows.spread(output, batch))
            finer, below = rows, scale.centers
    return outputs


def _first_groups(below: Tensor, values: Tensor, scale: Scale, rows: Rows) -> Tensor:
    """``(R, k, 3 + C)`` offsets from the centre of a group, and further channels of its members."""
    members = _members(scale, rows, below.shape[1])
    centers = rows.take(scale.centers)
    groups = _take(below.flatten(0, 1), members) - centers.unsqueeze(1)
    return torch.cat([groups, _take(values.flatten(0, 1), members)], -1) if values.shape[-1] else groups


def _groups(tokens: Tensor, scale: Scale, rows: Rows, finer: Rows, finer_count: int) -> Tensor:
    """``(R, k, C)`` finer tokens ``(R', C)`` of each group, zeros where one is masked."""
    members = _members(scale, rows, finer_count)
    if finer.place is None:
        return _take(tokens, members)
    return _take(finer.with_spare(tokens), finer.place[members])


def _members(scale: Scale, rows: Rows, count: int) -> Tensor:
    """``(R, k)`` members of each row's group among the joined clouds of ``count`` points."""
    return rows.take(scale.neighbors) + (rows.cloud * count).unsqueeze(1)


def _take(values: Tensor, indices: Tensor) -> Tensor:
    """``(R, k, C)`` of ``(P, C)`` by ``(R, k)``."""
    return values.index_select(0, indices.flatten()).view(*indices.shape, -1)
