"""What the command-line tools share. Imports nothing heavy, so that --help answers at once."""
import argparse
import os
import sys
import traceback
from pathlib import Path


def base_parser(description: str) -> argparse.ArgumentParser:
    """Options that training and testing have in common; names as in mmdet3d."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override entries of the config, e.g. train_dataloader.batch_size=4 or '
                        'model.backbone.radii="[0.4,0.8]"')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                        help='how the processes of a distributed job are started')
    # torch.distributed passes the first spelling, older launchers the second.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser


def load_config(args: argparse.Namespace):
    """The mmengine config with the command line merged in and keys checked."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if not Path(args.config).is_file():
        raise FileNotFoundError(f'there is no config {args.config!r}; the configs that come with the project are in '
                                'configs/.')
    from mmengine.config import Config, DictAction

    # The stand-in for mmcv's operators must be in place before a config
    # imports anything of mmdet3d.
    import m2ae_mm  # noqa: F401

    config = Config.fromfile(args.config)
    config.merge_from_dict(dict(parse_option(text, DictAction) for text in args.cfg_options))
    config.launcher = args.launcher
    if args.work_dir:
        config.work_dir = args.work_dir
    elif not config.get('work_dir'):
        config.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return config


def parse_option(text: str, dict_action) -> tuple:
    """One KEY=VALUE with mmengine's syntax for lists and tuples."""
    key, separator, value = text.partition('=')
    if not separator:
        raise ValueError(f'--cfg-options takes KEY=VALUE, got {text!r}.')
    return key, dict_action._parse_iterable(value)


def run(main) -> None:
    """Run ``main()``; errors made for the user end in one message, others in a traceback.

    An error counts as made for the user if a ``raise`` of this project made
    it, or if it came up in the config machinery itself (an unknown key).
    ``M2AE_TRACEBACK=1`` always shows the traceback.
    """
    try:
        main()
    except (ValueError, TypeError, KeyError, AttributeError, FileNotFoundError) as error:
        if os.environ.get('M2AE_TRACEBACK') == '1' or not _made_for_the_user(error):
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'\nerror: {message}\n(M2AE_TRACEBACK=1 shows where this was raised.)', file=sys.stderr)
        sys.exit(1)


def _made_for_the_user(error: BaseException) -> bool:
    last = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(last.filename).as_posix()
    tools = Path(__file__).resolve().parent.as_posix()
    ours = '/m2ae_mm/' in path or path.startswith(tools)
    machinery = '/mmengine/registry/' in path or '/mmengine/config/' in path
    return machinery or ours and (last.line or '').startswith('raise')
