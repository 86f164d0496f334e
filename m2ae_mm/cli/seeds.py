"""Train with several seeds and report the main figure of the validation, last and best."""
from pathlib import Path

from ..errors import UserError
from .run_settings import claim_folder, settings_of
from .several import mean_and_deviation, run_config, run_missing, train_or_validate


def train_seeds(config, count: int) -> None:
    """Train with the seeds 0 to ``count - 1``, each in a folder of its own, and print mean and deviation.

    Seeds in the table of the work folder are not trained again; those that
    were begun continue where they stopped.

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
    claim_folder(folder, settings_of(config), 'seed*')  # the table and folders of seeds

    def run(seed: str) -> dict[str, float]:
        own = run_config(config, f'seed_{seed}')
        own.randomness = dict(own.get('randomness') or {}, seed=int(seed))
        values = [float(value) for value in train_or_validate(own).message_hub.get_scalar(f'val/{figure}').data[0]]
        return dict(last=values[-1], best=min(values) if less else max(values))

    def figures(seed: str, row: dict) -> dict[str, float]:
        int(seed)  # or the table is no longer ours
        return {name: float(row[name]) for name in ('last', 'best')}

    found = run_missing(folder / 'seeds.json', [str(seed) for seed in range(count)], run, figures)
    if is_main_process():
        print(summary(figure, list(found.values())))


def summary(figure: str, rows: list[dict[str, float]]) -> str:
    """Mean and deviation over the seeds (divisor n - 1) of the last and of the best validation."""
    texts = [f'{name} {mean_and_deviation([row[name] for row in rows], ".4g")}' for name in ('last', 'best')]
    return (f'{figure} over {len(rows)} seeds: {", ".join(texts)}. The best one is chosen on the data that it is '
            'measured on.')
