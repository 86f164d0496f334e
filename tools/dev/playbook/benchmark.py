"""The benchmark table: steps of our models at the published batch sizes, in bfloat16, with memory."""
from .side_by_side import run_group

_CASES = ('pretrain', 'features', 'classify', 'detect', 'detect_infer', 'vdetr', 'vdetr_infer')


def run(context) -> None:
    jobs = [('vdetr', 'reference')] if context.rehearse else [(case, 'kernels') for case in _CASES]
    run_group(context, jobs, patience=120)
