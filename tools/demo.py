#!/usr/bin/env python
"""Pre-train Point-M2AE on composed rooms, fine-tune a detector from it and compare with one from scratch.

Everything is written below --out; a run that was stopped goes on where it was when started again.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Lets the C library keep freed memory from step to step, a fifth of the page faults. Ignored where it means nothing.
ENV = {'MALLOC_TRIM_THRESHOLD_': '2000000000', 'MALLOC_MMAP_THRESHOLD_': '33554432', **os.environ}
PRETRAIN, DETECT = 'configs/m2ae/rooms_pretrain.py', 'configs/m2ae/rooms_det.py'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('demo_output'), help='folder (default: %(default)s)')
    parser.add_argument('--train', type=int, default=400, help='rooms to train on (default: %(default)s)')
    parser.add_argument('--val', type=int, default=60, help='unseen rooms to evaluate on (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='overrides for all trainings and tests, e.g. for a quick look')
    return parser.parse_args()


class Demo:
    """The steps, each a call of a tool that a user would make."""

    def __init__(self, args) -> None:
        self.out = args.out.resolve()
        self.rooms = self.out / 'rooms'
        self.args = args
        self.timings: dict[str, float] = {}
        (self.out / 'logs').mkdir(parents=True, exist_ok=True)

    def run(self, name: str, *command: str) -> None:
        """One tool; its output goes to a log file, progress to the screen."""
        print(f'[{time.strftime("%H:%M:%S")}] {name}\n    python {" ".join(command)}', flush=True)
        log, start = self.out / 'logs' / f'{name}.log', time.time()
        with open(log, 'w') as file:
            done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=ENV)
        self.timings[name] = time.time() - start
        if done.returncode:
            print(''.join(log.read_text().splitlines(keepends=True)[-15:]))
            sys.exit(f'{name} failed; the whole log is in {log}.')
        print(f'    done in {self.timings[name]:.0f} s', flush=True)

    def data_options(self, *loaders: str) -> list[str]:
        return [f'{loader}.data_root={self.rooms}/' for loader in loaders]

    def train(self, name: str, config: str, *options: str) -> Path:
        folder = self.out / name
        data = self.data_options('train_dataloader.dataset', 'val_dataloader.dataset')
        self.run(name, 'tools/train.py', config, '--work-dir', str(folder), '--resume', '--cfg-options', *data,
                 *options, *self.args.cfg_options)
        return Path((folder / 'last_checkpoint').read_text())

    def test(self, name: str, config: str, checkpoint: Path, *options: str) -> dict[str, float]:
        folder = self.out / name
        self.run(name, 'tools/test.py', config, str(checkpoint), '--work-dir', str(folder), *options, '--cfg-options',
                 *self.data_options('test_dataloader.dataset'), *self.args.cfg_options)
        newest = max(folder.glob('*/*.json'), key=lambda path: path.stat().st_mtime)
        return json.loads(newest.read_text())

    def main(self) -> None:
        start = time.time()
        self.run('rooms', 'tools/create_rooms.py', '--out', str(self.rooms), '--train', str(self.args.train), '--val',
                 str(self.args.val))
        pretrained = self.train('pretrain', PRETRAIN)
        # Both detectors are evaluated below, once, so not at the end of training.
        late = 'train_cfg.val_interval=1000'
        finetuned = self.train('det_pretrained', DETECT, f'model.backbone.init_cfg.checkpoint={pretrained}', late)
        scratch = self.train('det_scratch', DETECT, 'model.backbone.init_cfg.checkpoint=None', late)
        pictures = self.out / 'pictures'
        self.test('test_pretrain', PRETRAIN, pretrained, '--show-dir', str(pictures / 'reconstruction'),
                  '--max-pictures', '4')
        scores = {
            'pre-trained': self.test('test_pretrained', DETECT, finetuned, '--show-dir', str(pictures / 'detection'),
                                     '--max-pictures', '8'),
            'from scratch': self.test('test_scratch', DETECT, scratch),
        }
        self.report(scores, time.time() - start)

    def report(self, scores: dict[str, dict[str, float]], seconds: float) -> None:
        """Print and save the table."""
        lines = [f'{"detector":<14}{"AP25":>8}{"AP50":>8}{"AR25":>8}{"AR50":>8}']
        for name, score in scores.items():
            lines.append(f'{name:<14}' + ''.join(f'{100 * score[key]:8.1f}'
                                                 for key in ('mAP_0.25', 'mAP_0.50', 'mAR_0.25', 'mAR_0.50')))
        table = '\n'.join(lines)
        print(f'\nIn percent, on {self.args.val} rooms with furniture not trained on; one seed:\n{table}')
        (self.out / 'results.txt').write_text(table + '\n')
        steps = ', '.join(f'{name} {value:.0f} s' for name, value in self.timings.items())
        print(f'\n{seconds / 60:.1f} minutes ({steps}).\nEverything is in {self.out}: rooms/, checkpoints and logs in '
              'pretrain/, det_pretrained/ and det_scratch/, pictures/reconstruction/*.png, pictures/detection/*.png, '
              'results.txt.')


if __name__ == '__main__':
    Demo(parse_args()).main()
