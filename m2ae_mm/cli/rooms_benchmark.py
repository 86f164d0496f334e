"""Train detectors on composed rooms, equally long and with several seeds, and print mean and deviation of their AP.

Everything is written below --out; an interrupted run continues when it is started again.
"""
import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from .several import mean_and_deviation
from .steps import Steps, base_parser

SLOT = 'model.backbone.init_cfg.checkpoint'
METRICS = {'AP25': 'mAP_0.25', 'AP50': 'mAP_0.50', 'AR25': 'mAR_0.25', 'AR50': 'mAR_0.50'}


class Row(NamedTuple):
    """A detector: config, pre-training it starts from, where its training data set is in the config, overrides."""

    name: str
    config: str
    pretraining: str | None = None
    train_set: str = 'train_dataloader.dataset'
    options: tuple[str, ...] = ()


# All rows train for so many epochs of 4 rooms.
EPOCHS = 5
SHORT = tuple(f'{key}={EPOCHS}' for key in ('param_scheduler.1.end', 'train_cfg.max_epochs', 'train_cfg.val_interval'))

PRETRAININGS = {
    '3detr-m': ('m2ae_mm::m2ae/rooms_3detr-m_pretrain.py', []),
    # Equally many steps of 4 rooms, as for 3DETR-m.
    'm2ae': ('m2ae_mm::m2ae/rooms_pretrain.py',
             ['train_dataloader.batch_size=4', 'optim_wrapper.optimizer.lr=5e-4', *SHORT]),
    # VoteNet adds the height of a point as fourth channel.
    'm2ae_height': ('m2ae_mm::m2ae/rooms_pretrain.py', [
        'model.backbone.in_channels=4', 'train_dataloader.batch_size=4', 'optim_wrapper.optimizer.lr=5e-4',
        'train_dataloader.dataset.pipeline.0.shift_height=True', 'val_dataloader.dataset.pipeline.0.shift_height=True',
        *SHORT]),
}
# Half the rooms in a step, half the learning rate.
VDETR = dict(config='m2ae_mm::vdetr/vdetr-m2ae_rooms.py',
             options=('train_dataloader.batch_size=4', 'optim_wrapper.optimizer.lr=7.5e-4', *SHORT))
VOTENET, VOTENET_M2AE = (f'm2ae_mm::projects/votenet_m2ae/configs/{name}_rooms.py'
                         for name in ('votenet', 'votenet_m2ae'))
REPEATED = 'train_dataloader.dataset.dataset'
ROWS = [
    Row('vdetr_m2ae', **VDETR),
    Row('vdetr_m2ae_pretrained', pretraining='m2ae', **VDETR),
    Row('3detr-m', 'm2ae_mm::m2ae/rooms_3detr-m_det.py'),
    Row('3detr-m_pretrained', 'm2ae_mm::m2ae/rooms_3detr-m_det.py', '3detr-m'),
    Row('votenet', VOTENET, train_set=REPEATED),
    Row('votenet_m2ae', VOTENET_M2AE, train_set=REPEATED),
    Row('votenet_m2ae_pretrained', VOTENET_M2AE, 'm2ae_height', REPEATED),
    Row('groupfree3d_m2ae', 'm2ae_mm::projects/groupfree3d_m2ae/configs/groupfree3d_m2ae_rooms.py', train_set=REPEATED),
    Row('ssd3d_m2ae', 'm2ae_mm::projects/ssd3d_m2ae/configs/ssd3d_m2ae_rooms.py', train_set=REPEATED),
]


def parse_args(arguments: list[str] | None = None):
    names = [row.name for row in ROWS]
    parser = base_parser(__doc__, 'work_dirs/rooms_benchmark')
    parser.add_argument('--rows', nargs='+', choices=names, default=names, help='detectors (default: all)')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], help='(default: 0 1 2)')
    parser.add_argument('--labels', nargs='+', type=share, default=[1.], metavar='SHARE',
                        help='shares of the training rooms whose boxes are used, each above 0 up to 1; pre-training '
                        'sees all rooms, and the steps stay as many (default: 1)')
    parser.add_argument('--train', type=int, default=800, help='rooms to train on (default: %(default)s)')
    parser.add_argument('--val', type=int, default=200, help='unseen rooms to evaluate on (default: %(default)s)')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time, one thread each (default: 2)')
    return parser.parse_args(arguments)


def share(text: str) -> float:
    """A share above 0 up to 1."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f'a share is above 0 and at most 1, got {text}')
    return value


class RoomsBenchmark(Steps):
    """The trainings and tests of all detectors and seeds."""

    def __init__(self, args) -> None:
        super().__init__(args.out, args.cfg_options, threads=1)
        self.args = args
        self.root = f'{self.out / "rooms"}/'
        self.only_for(train=args.train, val=args.val)

    def data(self, train_set: str) -> list[str]:
        return [f'{train_set}.data_root={self.root}', f'val_dataloader.dataset.data_root={self.root}']

    def pretrain(self, name: str, seed: int) -> Path:
        config, options = PRETRAININGS[name]
        return self.train(f'pretrain_{name}_{seed}', config, *self.data('train_dataloader.dataset'), *options,
                          f'randomness.seed={seed}')

    def score(self, row: Row, labels: float, seed: int) -> dict[str, float]:
        """Train and test one detector, or read what an earlier run got."""
        name = f'{title(row, labels)}_{seed}'
        result = self.out / 'results' / f'{name}.json'
        if not result.is_file():
            start = [f'{SLOT}={self.pretrain(row.pretraining, seed)}'] if row.pretraining else []
            rooms = [f'{row.train_set}.indices={max(1, round(labels * self.args.train))}'] if labels < 1 else []
            # Scored once, below.
            checkpoint = self.train(name, row.config, *self.data(row.train_set), *row.options, *rooms, *start,
                                    f'randomness.seed={seed}', 'train_cfg.val_interval=1000',
                                    epochs=round(EPOCHS / labels) if labels < 1 else None)
            scores = self.test(f'test_{name}', row.config, checkpoint,
                               [f'test_dataloader.dataset.data_root={self.root}'])
            result.parent.mkdir(exist_ok=True)
            from m2ae_mm.files import write_json
            write_json(result, scores)
        return json.loads(result.read_text())

    def main(self) -> None:
        # Of another seed than the demo's rooms, which sizes and schedules were chosen on.
        self.tool('rooms', 'create_rooms', '--out', self.root, '--train', str(self.args.train), '--val',
                 str(self.args.val), '--seed', '1')
        rows = [(row, labels) for labels in self.args.labels for row in ROWS if row.name in self.args.rows]
        with ThreadPoolExecutor(self.args.jobs) as pool:
            scores = {(*row, seed): pool.submit(self.score, *row, seed) for seed in self.args.seeds for row in rows}
        print(f'\nIn percent on {self.args.val} unseen rooms, mean +- deviation over seeds {self.args.seeds}:')
        print(f'{"detector":<30}' + ''.join(f'{metric:>14}' for metric in METRICS))
        for row in rows:
            found = [scores[row + (seed, )].result() for seed in self.args.seeds]
            cells = (mean_and_deviation([100 * score[key] for score in found]) for key in METRICS.values())
            print(f'{title(*row):<30}' + ''.join(f'{cell:>14}' for cell in cells))


def title(row: Row, labels: float) -> str:
    """Name of a row with its share of labels."""
    return row.name if labels == 1 else f'{row.name}_{labels:.0%}'


def main(args) -> None:
    RoomsBenchmark(args).main()
