"""Trains with several seeds and reports the main figure of the validation, last and best."""
import copy
from pathlib import Path

from ..errors import UserError, reading
from .run_settings import check_settings, settings_of, write_settings

TABLE = 'seeds.json'


def train_seeds(config, count: int) -> None:
    """Train with the seeds 0 to ``count - 1``, each in a folder of its own, and print mean and deviation.

    Seeds in the table of the work folder are not trained again; those that
    were begun go on where they stopped.

    Args:
        config: A full config with a validation.
        count: How many.

    Raises:
        UserError: For less than one seed, a config whose validation has no main figure, or a folder with results of
            other settings.
    """
    from mmengine.dist import is_main_process

    from m2ae_mm.engine import main_figure
    from m2ae_mm.files import write_json
    if count < 1:
        raise UserError(f'--seeds must be 1 or more, got {count}.')
    figure, less = main_figure(config)
    settings, folder = settings_of(config), Path(config.work_dir)
    check_settings(folder, settings, 'seed*')  # the table and folders of seeds
    done = _read(folder / TABLE)
    if is_main_process():
        write_settings(folder, settings)
    for seed in range(count):
        if seed in done:
            continue
        values = _train(config, seed, figure)
        done[seed] = dict(last=values[-1], best=min(values) if less else max(values))
        if is_main_process():
            write_json(folder / TABLE, done)
    if is_main_process():
        print(summary(figure, [done[seed] for seed in range(count)]))


def _train(config, seed: int, figure: str) -> list[float]:
    """The figure after each validation of one training."""
    from m2ae_mm.engine import training_runner
    config = copy.deepcopy(config)  # config.copy() shares its entries
    config.work_dir = str(Path(config.work_dir) / f'seed_{seed}')
    # mmengine refuses a second runner of the same name in one process.
    config.experiment_name = f'{Path(config.filename).stem}_seed_{seed}'
    config.randomness = dict(config.get('randomness') or {}, seed=seed)
    if (Path(config.work_dir) / 'last_checkpoint').is_file():
        config.resume, config.load_from = 'auto', None
    runner = training_runner(config)
    last = Path(config.work_dir) / f'epoch_{config.train_cfg.get("max_epochs")}.pth'
    if config.get('resume') and last.is_file():  # stopped in its last validation
        runner.val()
    else:
        runner.train()
    return [float(value) for value in runner.message_hub.get_scalar(f'val/{figure}').data[0]]


def _read(table: Path) -> dict[int, dict[str, float]]:
    if not table.is_file():
        return {}
    from m2ae_mm.files import read_json
    advice = f'Take the entry out of {table} to train that seed again.'
    with reading(table, 'as figures by seed', advice):
        return {int(seed): {name: float(row[name]) for name in ('last', 'best')}
                for seed, row in read_json(table, dict, advice).items()}


def summary(figure: str, rows: list[dict[str, float]]) -> str:
    """Mean and deviation over the seeds (divisor n - 1) of the last and of the best validation."""
    from statistics import mean, stdev
    texts = []
    for name in ('last', 'best'):
        values = [row[name] for row in rows]
        spread = f' +- {stdev(values):.4g}' if len(values) > 1 else ''
        texts.append(f'{name} {mean(values):.4g}{spread}')
    return (f'{figure} over {len(rows)} seeds: {", ".join(texts)}. The best one is chosen on the data that it is '
            'measured on.')
