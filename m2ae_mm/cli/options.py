"""Options and configs of the commands."""
import argparse
import os
from pathlib import Path

from ..errors import UserError, doing, keep_tracebacks_in, some
from ..nesting import entries
from ..surroundings import find_config
from .option_values import parse_option, present_value
from .shortcuts import add_data, set_data, set_epochs

# Read by mmengine's Runner, even if a config does not have them.
RUNNER_KEYS = ('activation_checkpointing', 'auto_scale_lr', 'cfg', 'compile', 'custom_hooks', 'default_hooks',
               'efficient_conv_bn_eval', 'env_cfg', 'experiment_name', 'find_unused_parameters', 'launcher',
               'load_from', 'log_level', 'log_processor', 'model_wrapper_cfg', 'param_scheduler', 'randomness',
               'resume', 'sync_bn', 'visualizer', 'work_dir')
# Entries that a variable of our configs sets, where their names differ from its own.
_ENTRIES_OF = dict(epochs=('max_epochs', 'val_interval', 'end'))
_SHORTCUTS = dict(epochs='--epochs', data_root='--data')
_MOST_PLACES = 6


def base_parser(description: str) -> argparse.ArgumentParser:
    """Options that training and testing have in common; names as in mmdet3d."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config', help='config file, or one of the package, e.g. m2ae_mm::m2ae/scannet_det.py')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    add_data(parser)
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override entries of the config, e.g. train_dataloader.batch_size=4, '
                        'model.backbone.radii="[0.4,0.8]" or val_dataloader.dataset.data_root="/my scans/"; lists of '
                        'names: metainfo.classes="[chair,dining table]"')
    parser.add_argument('--pretrained', metavar='NAME',
                        help='give the encoder, and in pre-training the decoder, the sizes and weights of one that '
                        'comes with the package, e.g. shapes_small; --cfg-options override them')
    parser.add_argument('--tuning', choices=['full', 'decoder', 'linear', 'lora'],
                        help='what learns: everything; all but the encoder; one linear layer on it; low-rank matrices '
                        'on its attention and the rest of the model')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                        help='how the processes of a distributed job are started')
    # torch.distributed passes the first spelling, older launchers the second.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser


def load_config(args: argparse.Namespace):
    """The mmengine config with the command line merged in.

    Raises:
        FileNotFoundError: If there is no such config.
        UserError: For an option that is not KEY=VALUE, or whose first key is unknown or only read by the config file.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    file = find_config(args.config)
    from mmengine.config import Config

    # The stand-in for mmcv's operators must be in place before a config
    # imports anything of mmdet3d.
    import m2ae_mm  # noqa: F401
    from m2ae_mm.engine import name_what_is_built
    name_what_is_built()
    with doing('reading the config', args.config):
        config = Config.fromfile(file)
    if args.pretrained:
        from m2ae_mm.checkpoint import start_from
        start_from(config, args.pretrained)
    if getattr(args, 'tuning', None):
        from m2ae_mm.engine import set_tuning
        set_tuning(config, args.tuning)
    if args.data:
        set_data(config, args.data)
    if getattr(args, 'epochs', None) is not None:
        set_epochs(config, args.epochs)
    values = config.to_dict()
    options = dict(parse_option(text, values) for text in args.cfg_options)
    check_keys(config, sorted({key.split('.')[0] for key in options}))
    check_types(values, options)
    for key, value in options.items():
        with doing('taking --cfg-options', f'{key}={value!r}'):
            config.merge_from_dict({key: value})
    config.launcher = args.launcher
    if args.work_dir:
        config.work_dir = args.work_dir
    elif not config.get('work_dir'):
        config.work_dir = str(Path('work_dirs') / Path(file).stem)
    keep_tracebacks_in(config.work_dir)
    return config


def check_keys(config, keys: list[str]) -> None:
    """Refuse first keys that the config does not have, or that are only variables of its file.

    Raises:
        UserError: Naming what can be set instead.
    """
    import inspect

    from mmengine.runner import Runner
    read = {*RUNNER_KEYS, *inspect.signature(Runner.__init__).parameters}
    unknown = [key for key in keys if key not in config and key not in read]
    if unknown:
        raise UserError(f'--cfg-options sets {", ".join(unknown)}, which this config does not have; it has '
                        f'{", ".join(sorted(config))}.')
    for key in keys:
        if key not in read:
            places = _set_by(config, key, read)
            where = f': {some(places, _MOST_PLACES)}' if places else ''
            short = f', or use {_SHORTCUTS[key]}' if key in _SHORTCUTS else ''
            raise UserError(f'--cfg-options sets {key}, a variable of the config file, which has been read already: '
                            f'that would change nothing. Set the entries that use it{where}{short}.')


def check_types(values: dict, options: dict) -> None:
    """Refuse words where the config has numbers.

    Raises:
        UserError: Naming the option.
    """
    for key, new in options.items():
        old = present_value(values, key)
        new_ones, old_ones = (value if isinstance(value, (list, tuple)) else [value] for value in (new, old))
        word = next((each for each in new_ones if isinstance(each, str)), None)
        same = isinstance(new, (list, tuple)) == isinstance(old, (list, tuple))
        if word is not None and same and old_ones and all(map(_is_number, old_ones)):
            raise UserError(f'--cfg-options sets {key} to {new!r}, where {word!r} is no number; the config has {old}.')


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _set_by(config, key: str, read: set[str]) -> list[str]:
    """Dotted paths of the entries that a variable of the config has set, those of training first."""
    values = config.to_dict()
    names = _ENTRIES_OF.get(key, (key, ))
    found = [path for top in sorted(read & values.keys()) for path, value in entries(values[top], top)
             if (name := path.rpartition('.')[2]) in names and (name == key or value == values[key])]
    return sorted(found, key=lambda path: not path.startswith('train'))
