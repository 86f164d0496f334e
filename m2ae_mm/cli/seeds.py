"""Trains with several seeds and reports the main figure of the validation, last and best."""
from pathlib import Path

from ..errors import UserError
from .run_settings import settings_of
from .several import begin, finish, one_of, run_missing


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
    if count < 1:
        raise UserError(f'--seeds must be 1 or more, got {count}.')
    figure, less = main_figure(config)
    folder = Path(config.work_dir)
    begin(folder, settings_of(config), 'seed*')  # the table and folders of seeds

    def run(seed: str) -> dict[str, float]:
        values = _train(config, int(seed), figure)
        return dict(last=values[-1], best=min(values) if less else max(values))

    found = run_missing(folder / 'seeds.json', [str(seed) for seed in range(count)], run, figures_of)
    if is_main_process():
        print(summary(figure, list(found.values())))


def _train(config, seed: int, figure: str) -> list[float]:
    """The figure after each validation of one training."""
    config = one_of(config, f'seed_{seed}')
    config.randomness = dict(config.get('randomness') or {}, seed=seed)
    return [float(value) for value in finish(config).message_hub.get_scalar(f'val/{figure}').data[0]]


def figures_of(seed: str, row: dict) -> dict[str, float]:
    """An entry of the table."""
    int(seed)
    return {name: float(row[name]) for name in ('last', 'best')}


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
