"""Pre-train Point-M2AE on composed rooms, fine-tune a detector from it and compare with one from scratch.

Everything is written below --out; a run that was stopped goes on where it was when started again.
"""
import argparse
import time
from pathlib import Path

from .steps import Steps

PRETRAIN, DETECT = 'm2ae_mm::m2ae/rooms_pretrain.py', 'm2ae_mm::vdetr/vdetr-m2ae_rooms.py'
# A detector that comes with the package, trained longer. It has not seen the furniture of validation rooms.
SHIPPED_CONFIG, SHIPPED = 'm2ae_mm::m2ae/rooms_det.py', 'rooms_det'


def parse_args(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('demo_output'), help='folder (default: %(default)s)')
    parser.add_argument('--train', type=int, default=400, help='rooms to train on (default: %(default)s)')
    parser.add_argument('--val', type=int, default=60, help='unseen rooms to evaluate on (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='overrides for all trainings and tests, e.g. for a quick look')
    return parser.parse_args(arguments)


class Demo(Steps):
    """The steps, each a call of a tool that a user would make."""

    def __init__(self, args) -> None:
        super().__init__(args.out, args.cfg_options)
        self.rooms = self.out / 'rooms'
        self.args = args

    def data_options(self, *loaders: str) -> list[str]:
        return [f'{loader}_dataloader.dataset.data_root={self.rooms}/' for loader in loaders]

    def main(self) -> None:
        start = time.time()
        self.tool('rooms', 'create_rooms', '--out', str(self.rooms), '--train', str(self.args.train), '--val',
                 str(self.args.val))
        data, pictures = self.data_options('test'), self.out / 'pictures'
        shipped = self.test('test_shipped', SHIPPED_CONFIG, SHIPPED, data, '--show-dir',
                            str(pictures / 'shipped_detector'), '--max-pictures', '4')
        data = self.data_options('train', 'val')
        pretrained = self.train('pretrain', PRETRAIN, *data)
        # Both detectors are evaluated below, once, so not at the end of training.
        late = 'train_cfg.val_interval=1000'
        slot = 'model.backbone.init_cfg.checkpoint'
        finetuned = self.train('det_pretrained', DETECT, *data, f'{slot}={pretrained}', late)
        scratch = self.train('det_scratch', DETECT, *data, f'{slot}=None', late)
        data = self.data_options('test')
        self.test('test_pretrain', PRETRAIN, pretrained, data, '--show-dir', str(pictures / 'reconstruction'),
                  '--max-pictures', '4')
        scores = {
            f'shipped {SHIPPED}': shipped,
            'pre-trained': self.test('test_pretrained', DETECT, finetuned, data, '--show-dir',
                                     str(pictures / 'detection'), '--max-pictures', '8'),
            'from scratch': self.test('test_scratch', DETECT, scratch, data),
        }
        self.report(scores, time.time() - start)

    def report(self, scores: dict[str, dict[str, float]], seconds: float) -> None:
        """Print and save the table."""
        lines = [f'{"detector":<24}{"AP25":>8}{"AP50":>8}{"AR25":>8}{"AR50":>8}']
        for name, score in scores.items():
            lines.append(f'{name:<24}' + ''.join(f'{100 * score[key]:8.1f}'
                                                 for key in ('mAP_0.25', 'mAP_0.50', 'mAR_0.25', 'mAR_0.50')))
        table = '\n'.join(lines)
        print(f'\nIn percent, on {self.args.val} rooms with furniture not trained on; one seed:\n{table}')
        (self.out / 'results.txt').write_text(table + '\n')
        steps = ', '.join(f'{name} {value:.0f} s' for name, value in self.timings.items())
        print(f'\n{seconds / 60:.1f} minutes ({steps}).\nEverything is in {self.out}: rooms/, checkpoints and logs in '
              'pretrain/, det_pretrained/ and det_scratch/, results.txt, and pictures/ of the shipped detector, '
              'reconstructions and detections.')


def main(args) -> None:
    Demo(args).main()
