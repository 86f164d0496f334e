"""Linear probe, classification, few-shot and part segmentation on cad_shapes and labeled_parts, with and without
pre-training, at the sizes of the encoder that comes with the package.

Everything is written below --out; an interrupted run continues when it is started again. The folders
data/cad_shapes and data/labeled_parts must be there.
"""
import json
from collections.abc import Callable, Iterator

from .run_settings import content_of
from .several import mean_and_deviation
from .steps import Steps, base_parser

PRETRAIN = 'm2ae_mm::m2ae/cad_shapes/pretrain_small.py'
SOURCES = ('ldraw', 'kicad', 'sweethome3d')
SCRATCH = 'model.backbone.init_cfg.checkpoint=None'
ONE_LOADER = ['train_dataloader.num_workers=1', 'val_dataloader.num_workers=1']


def schedule(epochs: int) -> list[str]:
    """Overrides for a shorter fine-tuning: 3 epochs of warm-up, then a cosine to the end."""
    return [f'train_cfg.max_epochs={epochs}', f'train_cfg.val_interval={epochs}', 'param_scheduler.0.end=3',
            'param_scheduler.1.begin=3', f'param_scheduler.1.end={epochs}',
            'default_hooks.checkpoint.max_keep_ckpts=1', *ONE_LOADER]


# The paper's head would take a second per shape and step on a CPU core.
SMALL_PART_HEAD = ['model.head.propagated=[256,128]', 'model.head.hidden=[256,128,64]',
                   'model.head.category_channels=16']


def parse_args(arguments: list[str] | None = None):
    tasks = ['svm', 'cls', 'fewshot', 'parts']
    parser = base_parser(__doc__, 'work_dirs/shapes_benchmark')
    parser.add_argument('--checkpoint', default='shapes_small',
                        help='pre-training to test: a file, or weights that come with the package (default: '
                        '%(default)s); "train" trains it first')
    parser.add_argument('--tasks', nargs='+', choices=tasks, default=tasks, help='(default: all)')
    parser.add_argument('--sources', nargs='+', choices=SOURCES, default=['sweethome3d'],
                        help='for classification and few-shot (default: sweethome3d); the probe takes all')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], help='(default: 0 1 2)')
    parser.add_argument('--epochs', type=int, default=30,
                        help='of classification and part segmentation (default: %(default)s); few-shot has the 150 of '
                        'the paper, a step each')
    parser.add_argument('--threads', type=int, help='of each tool (default: all cores)')
    return parser.parse_args(arguments)


class ShapesBenchmark(Steps):
    """All trainings and tests; one JSON file with the figure of each in ``results``."""

    def __init__(self, args) -> None:
        super().__init__(args.out, args.cfg_options, args.threads)
        self.args = args
        start = args.checkpoint if args.checkpoint == 'train' else content_of(args.checkpoint)
        self.only_for(start=start, epochs=args.epochs)
        (self.out / 'results').mkdir(exist_ok=True)

    def main(self) -> None:
        start = self.args.checkpoint
        if start == 'train':
            start = str(self.train('pretrain', PRETRAIN))
        starts = {'random': None, 'pre-trained': start}
        lines = [line for task in self.args.tasks for line in getattr(self, task)(starts)]
        print('\nIn percent, mean +- deviation over seeds (few-shot: over folds):')
        print('\n'.join(f'{what:<34}{how:<14}{figure}' for what, how, figure in lines))

    def figure(self, name: str, measure: Callable, *args) -> float | list[float]:
        """``measure(name, *args)``, or what an earlier run got for this name."""
        path = self.out / 'results' / f'{name}.json'
        if not path.is_file():
            from m2ae_mm.files import write_json
            write_json(path, measure(name, *args))
        return json.loads(path.read_text())

    def over_seeds(self, name: str, measure: Callable, *args) -> str:
        """Mean and deviation of ``measure(name_SEED, *args, SEED)``."""
        return mean_and_deviation([self.figure(f'{name}_{seed}', measure, *args, seed) for seed in self.args.seeds])

    def svm(self, starts: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
        """Linear SVM on frozen features; random encoders with every seed, as there is one pre-training."""
        for source in SOURCES:
            for how, checkpoint in starts.items():
                name = f'svm_{source}_{how}'
                figure = self.over_seeds(name, self.probe, source, 'random') if checkpoint is None else \
                    mean_and_deviation([self.figure(name, self.probe, source, checkpoint, 0)])
                yield f'linear SVM, {source}', how, figure

    def probe(self, name: str, source: str, checkpoint: str, seed: int) -> float:
        options = [SCRATCH, f'randomness.seed={seed}', 'test_dataloader.num_workers=1']
        return self.test(name, f'm2ae_mm::m2ae/cad_shapes/svm_{source}.py', checkpoint, options, '--pretrained',
                         'shapes_small')['linear_probe/accuracy']

    def cls(self, starts: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
        """Classification, last epoch."""
        for source in self.args.sources:
            for how, start in starts.items():
                config = f'm2ae_mm::m2ae/cad_shapes/cls_{source}.py'
                yield f'classification, {source}', how, self.over_seeds(
                    f'cls_{source}_{how}', self.finetune, config, start, 'accuracy/overall', [])

    def parts(self, starts: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
        """Part segmentation, last epoch: mean IoU over shapes."""
        for how, start in starts.items():
            yield 'parts, labeled_parts, instance mIoU', how, self.over_seeds(
                f'parts_{how}', self.finetune, 'm2ae_mm::m2ae/labeled_parts_seg.py', start, 'part/instance_miou',
                SMALL_PART_HEAD)

    def finetune(self, name: str, config: str, start: str | None, metric: str, options: list[str], seed: int) -> float:
        """Train and read the score of the last epoch."""
        folder = self.out / name
        self.tool(name, 'train', config, '--work-dir', str(folder), '--resume', '--pretrained', 'shapes_small',
                 '--cfg-options', f'model.backbone.init_cfg.checkpoint={start}', f'randomness.seed={seed}',
                 *schedule(self.args.epochs), *options, *self.options)
        logs = sorted(folder.glob('*/vis_data/scalars.json'))
        records = [json.loads(line) for path in logs for line in path.read_text().splitlines()]
        return [record[metric] for record in records if metric in record][-1]

    def fewshot(self, starts: dict[str, str | None]) -> Iterator[tuple[str, str, str]]:
        """5-way 10-shot, ten folds; with fewer than the paper's 150 steps, BatchNorm's averages are not there yet."""
        for source in self.args.sources:
            for how, start in starts.items():
                found = self.figure(f'fewshot_{source}_{how}', self.folds, source, start)
                yield f'5-way 10-shot, {source}', how, mean_and_deviation(found)

    def folds(self, name: str, source: str, start: str | None) -> list[float]:
        folder = self.out / name
        self.tool(name, 'fewshot', f'm2ae_mm::m2ae/cad_shapes/fewshot_{source}_5way_10shot.py', '--work-dir',
                 str(folder), '--pretrained', 'shapes_small', '--cfg-options',
                 f'model.backbone.init_cfg.checkpoint={start}', *ONE_LOADER, *self.options)
        return list(json.loads((folder / 'folds.json').read_text()).values())


def main(args) -> None:
    ShapesBenchmark(args).main()
