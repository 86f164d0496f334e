"""Measure operators, training steps, inference and data loading against PyTorch references and a plain baseline.

Inputs are made up, so nothing but this project is needed. Each row runs in a process of its own. Columns:

  variant      ours; reference: the PyTorch reference of an operator; plain: Point-M2AE in stock PyTorch, run as a
               script of its own would be; plain+tuned: the same with our tools' settings of the
               memory allocator and of waiting threads
  samples/s    clouds a second, at the median call
  ms, 10 %, 90 %   median call, 10th and 90th percentile
  MiB          CUDA: most memory reserved by PyTorch; CPU: what the calls made the process grow by, and the network's
               parameters and inputs (with +comp, the compiler is included)
  GFLOP, MB    least work of a call: matrix products and attention, for operators all pairs of points; inputs,
               parameters, outputs and what is kept for the backward pass
  floor ms     the longer of GFLOP and MB at the machine's peaks
  speed-up     over reference or plain of the same precision, compiled or not as ours
"""
import argparse
import json
import tempfile
from pathlib import Path

from ..errors import UserError
from .bench.cases import CASES
from .tuning import tune_process

PRECISIONS = ('fp32', 'bf16')


def parse_args(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cases', nargs='+', choices=CASES, default=list(CASES), metavar='CASE',
                        help=f'of {", ".join(CASES)} (default: all)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu', help='(default: %(default)s)')
    parser.add_argument('--precision', nargs='+', choices=PRECISIONS, default=['fp32'],
                        help='of the networks; bf16 is autocast (default: fp32)')
    parser.add_argument('--compile', action='store_true', help='every network also through torch.compile')
    parser.add_argument('--batch', type=int, help='clouds a call (default: by case; on CUDA those of the paper)')
    parser.add_argument('--repeats', type=int, default=50, help='most calls to time (default: %(default)s)')
    parser.add_argument('--seconds', type=float, default=15.,
                        help='for the timed calls of a row; three are made at least (default: %(default)s)')
    parser.add_argument('--limit', type=float, default=900.,
                        help='give a row up after so many seconds, compilation included (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of inputs and weights (default: %(default)s)')
    parser.add_argument('--peak-tflops', nargs='+', type=parse_peak, default=[], metavar='PRECISION=VALUE',
                        help='10^12 operations a second that the machine can do (default: measured)')
    parser.add_argument('--peak-gbs', type=float, help='10^9 bytes a second to and from memory (default: measured)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the rows there, too')
    return parser.parse_args(arguments)


def parse_peak(text: str) -> tuple[str, float]:
    """``fp32=67`` as ``('fp32', 67.)``."""
    precision, _, value = text.partition('=')
    try:
        if precision in PRECISIONS and float(value) > 0:
            return precision, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f'takes fp32=VALUE or bf16=VALUE above 0, got {text!r}')


def check(args) -> None:
    """Refuse options that measure nothing.

    Raises:
        UserError: With the option.
    """
    for name in ('batch', 'repeats', 'seconds', 'limit', 'peak_gbs'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise UserError(f'--{name.replace("_", "-")} must be above 0, got {value}.')
    if args.json is not None and not args.json.resolve().parent.is_dir():
        raise UserError(f'--json: there is no folder {str(args.json.resolve().parent)!r}.')


def plans(args, folder: Path) -> list:
    """The rows, what is compared next to each other, ours last. Operators and loading have one precision."""
    from .bench.rows import Plan
    from .bench.work import Setting
    result = []
    for case in (case for name in args.cases for case in CASES[name]):
        if case.variant == 'plain+tuned' and args.device == 'cuda':
            continue  # those settings are for the host
        batch = args.batch or (case.on_cuda if args.device == 'cuda' else case.on_cpu)
        for precision in dict.fromkeys(args.precision) if case.network else ['fp32']:
            for compiled in (False, True) if args.compile and case.network else (False, ):
                place = folder / str(len(result))
                result.append(Plan(case, Setting(args.device, precision, batch, args.seed, place), compiled,
                                   args.repeats, args.seconds))
    titles = list(dict.fromkeys(plan.case.title for plan in result))
    return sorted(result, key=lambda plan: (titles.index(plan.case.title), PRECISIONS.index(plan.setting.precision),
                                            plan.compiled, plan.case.variant == 'ours'))


def machine_of(args) -> tuple[str, object]:
    """Name and peaks, measured where not given."""
    from .bench.rows import find_peaks, in_child
    try:
        name, peaks = in_child(find_peaks, args.device, ['fp32', *args.precision])
    except RuntimeError as error:
        raise UserError(f'cannot measure on {args.device}: {error}') from None
    return name, peaks._replace(tflops={**peaks.tflops, **dict(args.peak_tflops)}, gbs=args.peak_gbs or peaks.gbs)


def measure_all(args, folder: Path) -> dict:
    """Measure and print every row; what --json writes."""
    import torch

    from .bench.report import HEADER, line, speed_up
    from .bench.rows import in_child, measure
    name, peaks = machine_of(args)
    rates = ', '.join(f'{value:.3g} TFLOP/s {precision}' for precision, value in peaks.tflops.items())
    print(f'{name}, PyTorch {torch.__version__}; peaks: {rates}, {peaks.gbs:.3g} GB/s\n\n{HEADER}', flush=True)
    rows: list[dict] = []
    for plan in plans(args, folder):
        row = dict(case=plan.case.title, variant=plan.case.variant, device=args.device,
                   precision=plan.setting.precision, compiled=plan.compiled, batch=plan.setting.batch)
        try:
            row.update(in_child(measure, plan, peaks, limit=args.limit, bare=plan.case.variant == 'plain'))
        except RuntimeError as error:
            row['error'] = str(error)
        row['speed_up'] = speed_up(row, rows)
        rows.append(row)
        print(line(row), flush=True)
    return dict(machine=dict(name=name, torch=torch.__version__, tflops=peaks.tflops, gbs=peaks.gbs), rows=rows)


def main(args) -> None:
    check(args)
    tune_process()
    with tempfile.TemporaryDirectory() as folder:
        result = measure_all(args, Path(folder))
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=1))
