"""Pre-train Point-M2AE on composed rooms, fine-tune a detector from it and compare with one from scratch.

The first minute shows what comes with the package, the end a summary and a page of all rooms.
Everything is written below --out; an interrupted run continues when it is started again.
"""
import json
import time

from .demo_summary import summary
from .first_look import DETECTOR, RESULTS
from .run_settings import FILE
from .steps import Steps, base_parser

PRETRAIN, DETECT = 'm2ae_mm::m2ae/rooms_pretrain.py', 'm2ae_mm::vdetr/vdetr-m2ae_rooms.py'


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__, 'demo_output')
    parser.add_argument('--train', type=int, default=300, help='rooms to train on (default: %(default)s)')
    parser.add_argument('--val', type=int, default=60, help='unseen rooms to evaluate on (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of all trainings (default: %(default)s)')
    return parser.parse_args(arguments)


class Demo(Steps):
    """The steps, each a call of a tool that a user would make."""

    def __init__(self, args) -> None:
        super().__init__(args.out, args.cfg_options)
        self.goes_on = (self.out / FILE).is_file()
        self.only_for(train=args.train, val=args.val, seed=args.seed)
        self.rooms = self.out / 'rooms'
        self.args = args

    def data_options(self, *loaders: str) -> list[str]:
        return [f'{loader}_dataloader.dataset.data_root={self.rooms}/' for loader in loaders]

    def main(self) -> None:
        from m2ae_mm.checkpoint import describe
        shipped_config = f'm2ae_mm::{describe(DETECTOR)["config"]}'
        pictures, results = self.out / 'pictures', {'first look': self.first_look()}
        self.tool('rooms', 'create_rooms', '--out', str(self.rooms), '--train', str(self.args.train), '--val',
                 str(self.args.val))
        # Detectors are evaluated below, once, so not at the end of training.
        data = [*self.data_options('train', 'val'), f'randomness.seed={self.args.seed}']
        late, slot = 'train_cfg.val_interval=1000', 'model.backbone.init_cfg.checkpoint'
        pretrained = self.train('pretrain', PRETRAIN, *data)
        finetuned, scratch = self.side_by_side(
            lambda: self.train('det_pretrained', DETECT, *data, f'{slot}={pretrained}', late),
            lambda: self.train('det_scratch', DETECT, *data, f'{slot}=None', late))
        data = self.data_options('test')
        results['pre-training'], results['shipped detector'] = self.side_by_side(
            lambda: self.test('test_pretrain', PRETRAIN, pretrained, data, '--show-dir',
                              str(pictures / 'reconstruction'), '--max-pictures', '4'),
            lambda: self.test('test_shipped', shipped_config, DETECTOR, data))
        # The score of shown boxes is chosen on training rooms.
        results['from scratch'], results['pre-trained'] = self.side_by_side(
            lambda: self.test('test_scratch', DETECT, scratch, data),
            lambda: self.test('test_pretrained', DETECT, finetuned, self.data_options('train', 'test'), '--gallery',
                              str(self.out / 'gallery'), '--show-dir', str(pictures / 'detection'), '--max-pictures',
                              '8', '--score-thr', 'auto'))
        self.report(results)

    def first_look(self) -> dict[str, float]:
        """What comes with the package; once is enough."""
        folder = self.out / 'first_look'
        if not (folder / RESULTS).is_file():
            self.tool('first_look', 'first_look', '--out', str(folder))
        found = json.loads((folder / RESULTS).read_text())
        print('\n'.join(f'    {line}' for line in found['told']), flush=True)
        return found

    def report(self, results: dict[str, dict[str, float]]) -> None:
        """Print and save what was found."""
        from m2ae_mm.files import write_json
        args = self.args
        as_default = args == parse_args(['--out', str(args.out), '--seed', str(args.seed)])
        text = summary(results, self.timings, time.time() - self.begun, args.val, as_default, self.goes_on)
        write_json(self.out / 'results.json', {**results, 'seconds': self.timings}, indent=1)
        (self.out / 'results.txt').write_text(text + '\n')
        print(f'\n{text}\n\nLook at {self.out / "gallery" / "index.html"}: all {args.val} rooms, truth beside '
              f'detections.\nEverything is in {self.out}: rooms/, checkpoints and logs in pretrain/, det_pretrained/ '
              'and det_scratch/, results.txt, gallery/, and pictures in first_look/ and pictures/.')


def main(args) -> None:
    Demo(args).main()
