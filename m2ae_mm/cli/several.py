"""Several trainings of one config, such as seeds, folds or areas: each in a folder of its own, none twice."""
import copy
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import reading


def mean_and_deviation(values: Sequence[float], digits: str = '.1f') -> str:
    """Mean and deviation (divisor n - 1), which a single value does not have."""
    deviation = f' +- {statistics.stdev(values):{digits}}' if len(values) > 1 else ''
    return f'{statistics.mean(values):{digits}}{deviation}'


def run_config(config, name: str):
    """A copy of the config for one training, in a folder ``name`` of its own; it resumes there if it was begun."""
    config = copy.deepcopy(config)  # config.copy() shares its entries
    config.work_dir = str(Path(config.work_dir) / name)
    # mmengine refuses a second runner of the same name in one process.
    config.experiment_name = f'{Path(config.filename).stem}_{name}'
    if (Path(config.work_dir) / 'last_checkpoint').is_file():
        config.resume, config.load_from = 'auto', None  # mmengine would resume from load_from
    return config


def validate_last(config) -> None:
    """One validation, after the last epoch: no epoch is chosen on the test data."""
    config.train_cfg.val_interval = config.train_cfg.get('max_epochs') or config.train_cfg.max_iters
    config.default_hooks.checkpoint.save_last = True


def train_or_validate(config):
    """Train, or only validate what has been trained to the end. Returns the runner."""
    from m2ae_mm.engine import training_runner
    runner = training_runner(config)
    epochs = config.train_cfg.get('max_epochs')
    last = Path(config.work_dir) / (f'epoch_{epochs}.pth' if epochs else f'iter_{config.train_cfg.max_iters}.pth')
    if config.get('resume') and last.is_file():  # stopped in its last validation
        runner.logger.info(f'{last.parent.name}: already trained, validated again from {last}')
        runner.val()
    else:
        runner.train()
    return runner


def run_missing(table: Path, names: Sequence[str], run: Callable[[str], Any],
                check: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Results of trainings by name; those in the table are not run again.

    Processes that share the folder, of several machines too, may each run some of the names.

    Args:
        table: JSON file, written after each training.
        names: Which ones.
        run: Trains one and returns its result.
        check: Takes a name and its entry of the table, and returns the result, or raises an error.

    Raises:
        UserError: If the table is damaged.
    """
    from mmengine.dist import is_main_process

    from m2ae_mm.files import locked, write_json
    done = read_table(table, check)
    for name in names:
        if name in done:
            if is_main_process():
                print(f'{table.stem}, {name}: taken from {table}')
            continue
        done[name] = run(name)
        if is_main_process():
            with locked(table):
                write_json(table, {**read_table(table, check), name: done[name]})
    return {name: done[name] for name in names}


def read_table(table: Path, check: Callable[[str, Any], Any]) -> dict[str, Any]:
    """What earlier runs left; see :func:`run_missing`."""
    if not table.is_file():
        return {}
    from m2ae_mm.files import read_json
    advice = f'Take the entry out of {table} to run it again.'
    with reading(table, 'as results by name', advice):
        return {name: check(name, value) for name, value in read_json(table, dict, advice).items()}
