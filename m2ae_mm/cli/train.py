"""Train whatever a config describes: pre-training, detection, classification, segmentation."""
from ..errors import UserError
from .options import base_parser, load_config
from .seeds import train_seeds
from .shortcuts import add_epochs

MIXED_PRECISION = ('M2AEBFloat16OptimWrapper', 'AmpOptimWrapper')
FULL_PRECISION = ('M2AEOptimWrapper', 'OptimWrapper')


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__)
    add_epochs(parser)
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision, in bfloat16')
    parser.add_argument('--sync_bn', choices=['none', 'torch'], default='none',
                        help='BatchNorm statistics over all processes')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help="scale the learning rate from the config's auto_scale_lr.base_batch_size to the real one")
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='resume from this checkpoint, or from the latest one in the work folder')
    parser.add_argument('--seeds', type=int, metavar='N',
                        help="train with the seeds 0 to N - 1 and print mean and deviation of the validation's main "
                        'figure; seeds that are done or begun in the work folder are not started anew')
    parser.add_argument('--areas', nargs='*', metavar='AREA',
                        help="leave one out: train once for each area (annotation file) of the config, tested on it, "
                        "and score all together, as S3DIS's six-fold figures are; names choose some of them. Resumes "
                        'as --seeds does')
    return parser.parse_args(arguments)


def apply_args(config, args) -> None:
    """Write the training options into the config."""
    if args.amp and config.optim_wrapper.type not in MIXED_PRECISION:
        if config.optim_wrapper.type not in FULL_PRECISION:
            raise UserError(f'--amp needs optim_wrapper.type to be {" or ".join(FULL_PRECISION)}, the config has '
                            f'{config.optim_wrapper.type!r}.')
        config.optim_wrapper.type = 'M2AEBFloat16OptimWrapper'
    if args.sync_bn != 'none':
        config.sync_bn = args.sync_bn
    if args.auto_scale_lr:
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise UserError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config.')
        config.auto_scale_lr.enable = True
    if args.seeds is not None and args.areas is not None:
        raise UserError('--seeds and --areas exclude each other. Give one of them; randomness.seed=1 trains the areas '
                        'with another seed.')
    several = '--seeds' if args.seeds is not None else '--areas' if args.areas is not None else None
    if several and args.resume not in (None, 'auto'):
        raise UserError(f'{several} trains each time in a folder of its own and resumes there, so --resume takes no '
                        f'checkpoint, got {args.resume!r}.')
    if args.resume:
        # load_from stays, for a work folder without anything to resume.
        config.resume = 'auto'
        if args.resume != 'auto':
            config.resume, config.load_from = True, args.resume


def main(args) -> None:
    config = load_config(args)
    apply_args(config, args)

    from m2ae_mm.engine import TRAINING, prepare, training_runner
    prepare(config, TRAINING)
    if args.seeds is not None:
        train_seeds(config, args.seeds)
    elif args.areas is not None:
        from .areas import train_areas
        train_areas(config, args.areas)
    else:
        training_runner(config).train()
