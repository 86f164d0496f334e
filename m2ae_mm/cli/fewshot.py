"""Few-shot classification: every fold of a config, then mean and deviation. Resumes where it stopped.

Folds that are done or begun in the work folder are taken over only if model, data, schedule, optimiser, seed and
checkpoint are the same.
"""
import copy
from pathlib import Path

from ..errors import UserError, reading
from .options import base_parser, load_config
from .run_settings import check_settings, settings_of, write_settings
from .shortcuts import add_epochs


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__.splitlines()[0])
    add_epochs(parser)
    parser.add_argument('--checkpoint', help='pre-trained checkpoint for the encoder (default: from scratch)')
    parser.add_argument('--folds', type=int, default=10, help='number of folds, from 0 on')
    return parser.parse_args(arguments)


def fold_config(config, fold: int):
    """The config of one fold, resuming if it was interrupted."""
    config = copy.deepcopy(config)  # config.copy() shares its entries
    config.work_dir = str(Path(config.work_dir) / f'fold_{fold}')
    # mmengine refuses a second runner of the same name in one process.
    config.experiment_name = f'{Path(config.filename).stem}_fold_{fold}'
    config.resume = (Path(config.work_dir) / 'last_checkpoint').is_file()
    if config.resume:
        config.load_from = None  # mmengine would resume from there
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].dataset.fold = fold
    # One evaluation, after the last epoch: no epoch is chosen on the test data.
    config.train_cfg.val_interval = config.train_cfg.max_epochs
    config.default_hooks.checkpoint.save_last = True
    return config


def run_fold(config, settings: dict) -> float:
    """Train one fold; accuracy of the last epoch in percent."""
    from mmengine.dist import is_main_process

    from m2ae_mm.engine import training_runner
    folder = Path(config.work_dir)
    last = folder / f'epoch_{config.train_cfg.max_epochs}.pth'
    runner = training_runner(config)
    if last.is_file():  # interrupted between training and writing the table
        runner.logger.info(f'{folder.name}: trained already, scored again from {last}')
        return runner.val()['accuracy/overall']
    if is_main_process():
        write_settings(folder, settings)
    runner.train()
    return runner.message_hub.get_scalar('val/accuracy/overall').current()


def read_folds(table: Path) -> dict[int, float]:
    """Accuracies in percent by fold, as an earlier run left them.

    Raises:
        UserError: If it is damaged, or one of them is no percentage.
    """
    from m2ae_mm.files import read_json
    advice = f'Take the entry out of {table} to run that fold again.'
    with reading(table, 'as accuracies by fold', advice):
        done = {int(fold): float(value) for fold, value in read_json(table, dict, advice).items()}
        wrong = {fold: value for fold, value in done.items() if not 0 <= value <= 100}
        if wrong:
            fold, value = wrong.popitem()
            raise UserError(f'fold {fold} has {value}, which is no accuracy in percent')
    return done


def run_folds(configs: list, folder: Path, settings: dict) -> dict[int, float]:
    """Accuracy of every fold in percent; those in the table of ``folder`` are not run again."""
    from mmengine.dist import is_main_process

    from m2ae_mm.files import write_json
    table = folder / 'folds.json'
    done = read_folds(table) if table.is_file() else {}
    for fold, each in enumerate(configs):
        if fold in done:
            if is_main_process():
                print(f'fold {fold}: taken from {table}')
            continue
        done[fold] = run_fold(each, settings)
        if is_main_process():
            write_settings(folder, settings)
            write_json(table, done)
    return {fold: done[fold] for fold in range(len(configs))}


def main(args) -> None:
    if args.folds < 1:
        raise UserError(f'--folds must be 1 or more, got {args.folds}.')
    config = load_config(args)
    if config.train_dataloader.dataset.type != 'M2AEFewShot':
        raise UserError(f'{args.config!r} is no few-shot config: its training data set is '
                        f'{config.train_dataloader.dataset.type}, not M2AEFewShot.')
    if args.checkpoint:
        config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=args.checkpoint, prefix='backbone.')

    from mmengine.dist import is_main_process

    from m2ae_mm.engine import TRAINING, prepare
    from m2ae_mm.evaluation import summarize_folds
    settings, folder = settings_of(config), Path(config.work_dir)
    prepare(config, TRAINING)
    check_settings(folder, settings, 'folds.json')
    for fold in range(args.folds):
        check_settings(folder / f'fold_{fold}', settings, '*.pth')
    scores = run_folds([fold_config(config, fold) for fold in range(args.folds)], folder, settings)
    if not is_main_process():
        return
    summary = summarize_folds(scores)
    print(' '.join(f'{score:.2f}' for score in scores.values()))
    print(f'{summary["mean"]:.2f} +- {summary["std"]:.2f} % over {summary["folds"]} folds')
