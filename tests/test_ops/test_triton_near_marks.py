"""Marks of near tokens: interpreted on a CPU, compiled where there is a GPU."""
import numpy as np
import pytest
import torch
from interpreted import DEVICE, compiles_kernels, runs_kernels

from m2ae_mm.ops import squared_distances


@compiles_kernels
def test_kernel_compiles_without_a_gpu():
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', 80, 32)
    from m2ae_mm.ops.triton.near_marks import _mark
    signature = dict(centers='*fp32', starts='*i64', counts='*i64', marks='*i32', limit='fp32', ROWS='constexpr')
    source = compiler.ASTSource(_mark, signature, constexprs=dict(ROWS=64))
    compiled = compiler.compile(source, target=target, options=dict(enable_fp_fusion=False))
    assert 'fma.rn.f32' not in compiled.asm['ptx']


def _unpacked(marks, row, count):
    """Bits of the first ``count`` columns of a row."""
    return np.unpackbits(marks[row].cpu().numpy().view(np.uint8), bitorder='little')[:count].astype(bool)


@runs_kernels
def test_marks_are_those_of_the_distances():
    from m2ae_mm.ops.triton import near_marks
    counts, starts = [70, 1, 33], [0, 70, 71]
    centers = torch.rand(110, 3, generator=torch.Generator().manual_seed(0)).to(DEVICE)  # six rows of padding
    marks = near_marks(centers, torch.tensor(starts, device=DEVICE), torch.tensor(counts, device=DEVICE), 100, 0.4)
    assert marks.shape == (110, 4)
    for start, count in zip(starts, counts):
        own = centers[None, start:start + count]
        near = squared_distances(own, own)[0] < np.float32(0.4**2)
        for row in range(count):
            np.testing.assert_array_equal(_unpacked(marks, start + row, 128)[:count], near[row].cpu())
            assert not _unpacked(marks, start + row, 128)[count:].any()


@runs_kernels
def test_a_token_is_near_itself_and_nothing_at_the_radius_is():
    from m2ae_mm.ops.triton import near_marks
    centers = torch.tensor([[0., 0, 0], [0.5, 0, 0], [float('nan'), 0, 0]], device=DEVICE)
    spans = torch.tensor([0], device=DEVICE), torch.tensor([3], device=DEVICE)
    assert near_marks(centers, *spans, 3, 0.5)[:, 0].tolist() == [1, 2, 4]
    assert near_marks(centers, *spans, 3, 0.51)[:, 0].tolist() == [3, 3, 4]
    assert near_marks(centers, *spans, 3, 0.)[:, 0].tolist() == [1, 2, 4]
