"""Compare ways to tune an encoder for the segmentation of composed rooms, from scratch and pre-trained on them.

Rows are trained in this process, on rooms that lie in memory, equally long and with several seeds. Every result is
written below --out; an interrupted run continues when it is started again. Overrides are of rooms_seg.py;
those of the encoder also hold in pre-training.
"""
import json
import time

from .rooms_benchmark import share
from .several import mean_and_deviation
from .steps import base_parser

STARTS, MODES = ('scratch', 'pretrained'), ('linear', 'decoder', 'full', 'lora')
# Columns of the table: title, entry of a result, and its factor.
_COLUMNS = (('mIoU', 'miou', 100.), ('accuracy', 'acc', 100.), ('ms a step', 'ms_per_step', 1.))
_SETTINGS = ('train', 'val', 'steps', 'pretrain_steps', 'batch_size', 'points', 'device', 'cfg_options')


def parse_args(arguments: list[str] | None = None):
    rows = [f'{start}-{mode}' for start in STARTS for mode in MODES]
    parser = base_parser(__doc__, 'work_dirs/seg_benchmark')
    parser.add_argument('--rows', nargs='+', choices=rows, default=[row for row in rows if row != 'scratch-lora'],
                        metavar='ROW', help='START-MODE (default: all but scratch-lora)')
    parser.add_argument('--labels', nargs='+', type=share, default=[1., 0.1], metavar='SHARE',
                        help='shares of the training rooms whose labels are used; pre-training sees all rooms, and '
                        'the steps stay as many (default: 1 0.1)')
    parser.add_argument('--seeds', type=int, default=3, metavar='N', help='seeds 0 to N - 1 (default: %(default)s)')
    for name, default, text in (('train', 300, 'rooms to train on'), ('val', 100, 'unseen rooms to evaluate on'),
                                ('steps', 300, 'steps of each row'), ('pretrain-steps', 1000, 'steps of pre-training'),
                                ('batch-size', 8, 'rooms a step'), ('points', 4096, 'points that the encoder sees')):
        parser.add_argument(f'--{name}', type=int, default=default, metavar='N', help=f'{text} (default: %(default)s)')
    parser.add_argument('--device', default='cpu', help='(default: %(default)s)')
    return parser.parse_args(arguments)


def main(args) -> None:
    from m2ae_mm.datasets.rooms import create_rooms
    from m2ae_mm.files import write_json

    from .bench.room_runs import SEGMENT, Schedule, pretrain, read_config, train_segmentor
    from .bench.room_sets import SegRooms
    from .option_values import parse_option
    from .run_settings import claim_folder
    claim_folder(args.out, {name: getattr(args, name) for name in _SETTINGS}, 'results/*.json', '--out')
    # Of another seed than the demo's rooms, which sizes and schedules were chosen on.
    create_rooms(args.out / 'rooms', args.train, args.val, seed=1)
    train, val = (SegRooms.load(args.out / 'rooms', split, args.device) for split in ('train', 'val'))
    default = read_config(SEGMENT, {}).to_dict()
    options = dict(parse_option(option, default) for option in args.cfg_options)
    encoder = {key: value for key, value in options.items()
               if key.startswith('model.backbone.') and not key.endswith(('.radii', '.drop_path_rate'))}
    schedule = Schedule(args.steps, args.batch_size, points=args.points)
    for seed in range(args.seeds):
        for labels in args.labels:
            for row in args.rows:
                file = args.out / 'results' / f'{row}_{labels:g}_{seed}.json'
                if file.is_file():
                    continue
                start, mode = row.split('-')
                weights = None
                if start == 'pretrained':
                    weights = pretrain(args.out / 'pretrained' / f'seed_{seed}.safetensors', train,
                                       schedule._replace(steps=args.pretrain_steps), seed, encoder)
                begun = time.time()
                result = train_segmentor(read_config(SEGMENT, options), mode, weights, train.first(labels), val,
                                         schedule, seed)
                file.parent.mkdir(exist_ok=True)
                write_json(file, result)
                print(f'[{time.strftime("%H:%M:%S")}] {row}, {labels:.0%} of the labels, seed {seed}: mIoU '
                      f'{100 * result["miou"]:.1f}, accuracy {100 * result["acc"]:.1f} ({time.time() - begun:.0f} s)',
                      flush=True)
    print(table(args))


def table(args) -> str:
    """Mean and deviation over the seeds, in percent."""
    lines = [f'\nOn {args.val} unseen rooms, {args.steps} steps of {args.batch_size}, mean +- deviation over '
             f'{args.seeds} seeds:', f'{"row":<22}{"labels":>8}' + ''.join(f'{name:>16}' for name, *_ in _COLUMNS)
             + f'{"weights trained":>18}']
    for labels in args.labels:
        for row in args.rows:
            found = [json.loads((args.out / 'results' / f'{row}_{labels:g}_{seed}.json').read_text())
                     for seed in range(args.seeds)]
            cells = (mean_and_deviation([factor * each[key] for each in found]) for _, key, factor in _COLUMNS)
            lines.append(f'{row:<22}{labels:>8.0%}' + ''.join(f'{cell:>16}' for cell in cells)
                         + f'{found[0]["trained"]:>18,}')
    return '\n'.join(lines)
