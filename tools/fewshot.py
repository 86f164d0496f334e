#!/usr/bin/env python
"""Few-shot classification: every fold of a config, then mean and deviation. Resumes where it stopped."""
import json
from pathlib import Path

from cli import base_parser, load_config, run


def parse_args():
    parser = base_parser(__doc__)
    parser.add_argument('--checkpoint', help='pre-trained checkpoint for the encoder (default: from scratch)')
    parser.add_argument('--folds', type=int, default=10, help='number of folds, from 0 on')
    return parser.parse_args()


def fold_config(config, fold: int):
    """The config of one fold, resuming if it was interrupted."""
    config = config.copy()
    config.work_dir = str(Path(config.work_dir) / f'fold_{fold}')
    # mmengine refuses a second runner of the same name in one process.
    config.experiment_name = f'{Path(config.filename).stem}_fold_{fold}'
    config.resume = (Path(config.work_dir) / 'last_checkpoint').is_file()
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].dataset.fold = fold
    # One evaluation, after the last epoch: no epoch is chosen on the test data.
    config.train_cfg.val_interval = config.train_cfg.max_epochs
    config.default_hooks.checkpoint.save_last = True
    return config


def run_fold(config) -> float:
    """Train one fold; accuracy of the last epoch in percent."""
    from mmengine.runner import Runner
    last = Path(config.work_dir) / f'epoch_{config.train_cfg.max_epochs}.pth'
    runner = Runner.from_cfg(config)
    if last.is_file():  # interrupted between training and writing the table
        return runner.val()['accuracy/overall']
    runner.train()
    return runner.message_hub.get_scalar('val/accuracy/overall').current()


def main() -> None:
    args = parse_args()
    config = load_config(args)
    if config.train_dataloader.dataset.type != 'M2AEFewShot':
        raise ValueError(f'{args.config!r} is no few-shot config: its training data set is '
                         f'{config.train_dataloader.dataset.type}, not M2AEFewShot.')
    if args.checkpoint:
        config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=args.checkpoint, prefix='backbone.')

    from mmengine.dist import is_main_process

    from m2ae_mm.engine import pin_memory, prepare_processes
    from m2ae_mm.evaluation import summarize_folds
    pin_memory(config)
    prepare_processes(config)
    table = Path(config.work_dir) / 'folds.json'
    done = {int(fold): value for fold, value in json.loads(table.read_text()).items()} if table.is_file() else {}
    for fold in range(args.folds):
        if fold not in done:
            done[fold] = run_fold(fold_config(config, fold))
            if is_main_process():
                table.parent.mkdir(parents=True, exist_ok=True)
                table.write_text(json.dumps(done))
    if not is_main_process():
        return
    summary = summarize_folds({fold: done[fold] for fold in range(args.folds)})
    print(' '.join(f'{done[fold]:.2f}' for fold in range(args.folds)))
    print(f'{summary["mean"]:.2f} +- {summary["std"]:.2f} % over {summary["folds"]} folds')


if __name__ == '__main__':
    run(main)
