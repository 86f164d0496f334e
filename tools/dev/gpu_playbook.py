#!/usr/bin/env python
"""Turn a few minutes of a GPU into measurements: stages in the order of their worth, until the time is over.

Each stage has a time budget of its own and runs in a process of its own. One that fails or takes too long says so,
and the next one begins. Results are written as JSON after every piece of work, so a run that is cut off loses at most
the piece it was at. Put the files of --out into docs/measured/ and run tools/dev/tables.py.
"""
import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from playbook.records import MEASURED, describe  # noqa: E402
from playbook.stages import STAGES, run_stage  # noqa: E402


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=8., help='when to stop (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('playbook_output'), help='folder (default: %(default)s)')
    parser.add_argument('--stages', nargs='+', choices=STAGES, default=list(STAGES), metavar='STAGE',
                        help=f'of {", ".join(STAGES)} (default: all, in this order)')
    parser.add_argument('--data', type=Path, default=Path('data'),
                        help='folder with cad_shapes/ for the stages on shapes (default: %(default)s)')
    parser.add_argument('--commit', default='', help='of the code, where git is not at hand')
    parser.add_argument('--list', action='store_true', help='show the stages, what is done and what is due')
    parser.add_argument('--rehearse', action='store_true', help='every stage on a CPU with sizes that take seconds')
    args = parser.parse_args()
    if args.minutes <= 0:
        parser.error(f'--minutes must be above 0, got {args.minutes}')
    return args


def main() -> int:
    args = parse_args()
    if args.list:
        for stage in STAGES.values():
            print(f'{stage.name:<14}{stage.seconds:>5} s  {describe(stage, MEASURED)}\n{"":<22}{stage.purpose}')
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    deadline = time.time() + 60 * args.minutes
    failed = []
    for name in args.stages:
        left = deadline - time.time()
        if left < STAGES[name].least and not args.rehearse:
            print(f'{name}: not begun, {left:.0f} s are left and it needs {STAGES[name].least}', flush=True)
            continue
        if not run_stage(STAGES[name], args, left):
            failed.append(name)
    print(f'results are in {args.out}' + (f'; failed or cut off: {", ".join(failed)}' if failed else ''))
    return bool(failed)


if __name__ == '__main__':
    sys.exit(main())
