"""Few-shot classification: every fold of a config, then mean and deviation. Resumes where it stopped.

Folds that are done or begun in the work folder are taken over only if model, data, schedule, optimiser, seed and
checkpoint are the same.
"""
from pathlib import Path

from ..errors import UserError
from .options import base_parser, load_config
from .run_settings import claim_folder, settings_of
from .several import read_table, run_config, run_missing, train_or_validate, validate_last
from .shortcuts import add_epochs


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__.splitlines()[0])
    add_epochs(parser)
    parser.add_argument('--checkpoint', help='pre-trained checkpoint for the encoder (default: from scratch)')
    parser.add_argument('--folds', type=int, default=10, help='number of folds, from 0 on')
    return parser.parse_args(arguments)


def run_fold(config, fold: str) -> float:
    """Train one fold; accuracy of the last epoch in percent."""
    config = run_config(config, f'fold_{fold}')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].dataset.fold = int(fold)
    validate_last(config)
    return train_or_validate(config).message_hub.get_scalar('val/accuracy/overall').current()


def accuracy_of(fold: str, value: float) -> float:
    """An entry of the table in percent.

    Raises:
        UserError: If it is none.
    """
    number, value = int(fold), float(value)
    if not 0 <= value <= 100:
        raise UserError(f'fold {number} has {value}, which is no accuracy in percent')
    return value


def read_folds(table: Path) -> dict[int, float]:
    """Accuracies in percent by fold, as earlier runs left them; empty if there is no such file.

    Raises:
        UserError: If it is damaged, or one of them is no percentage.
    """
    return {int(fold): value for fold, value in read_table(table, accuracy_of).items()}


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
    claim_folder(folder, settings, 'fold*')  # the table and folders of folds
    scores = run_missing(folder / 'folds.json', [str(fold) for fold in range(args.folds)],
                         lambda fold: run_fold(config, fold), accuracy_of)
    if not is_main_process():
        return
    summary = summarize_folds(scores)
    print(' '.join(f'{score:.2f}' for score in scores.values()))
    print(f'{summary["mean"]:.2f} +- {summary["std"]:.2f} % over {summary["folds"]} folds')
