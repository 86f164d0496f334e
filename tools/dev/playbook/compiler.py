"""Hand-written kernels against torch.compile, on the same packed rows and in one run.

For each operator the step runs with its work done by compiled PyTorch instead of its kernels; what that costs is what
the kernels still gain.
"""
from .side_by_side import run_group

_SHAPES = ('attention', 'layer_norm', 'gelu', 'linear', 'batch_norm', 'pooling')
_GROUPS = (
    [('pretrain', variant) for variant in ('kernels', *_SHAPES)],
    [*(('classify', variant) for variant in ('kernels', *_SHAPES)), ('features', 'kernels'),
     ('detect', 'kernels'), ('detect', 'batch_norm'), ('detect', 'attention')],
    # The compiler needs longest for whole steps.
    [(case, variant) for case in ('pretrain', 'classify', 'features') for variant in ('compiled', 'reduce-overhead')],
)
_REHEARSED = ([('pretrain', variant) for variant in ('reference', 'compiled', 'layer_norm')], )
_LEAST_SECONDS = 60


def run(context) -> None:
    for group in _REHEARSED if context.rehearse else _GROUPS:
        if context.left() < _LEAST_SECONDS:
            context.record.set(stopped=f'before {group[0]}: {context.left():.0f} s were left')
            return
        run_group(context, group, patience=200)
