"""Options and ends of the commands that give results for files."""
import argparse
import time

from ..errors import UserError

AXES = ('x', 'y', 'z', '-x', '-y', '-z')
_WRITTEN = dict(
    json='write the results as JSON', ply='write scan and results as PLY', png='draw a picture of each',
    html='write a page for each that opens from disk and turns in the browser', npz='write arrays')


def base_parser(description: str, inputs: str, formats: tuple[str, ...], weights: str) -> argparse.ArgumentParser:
    """Options that all of them have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('inputs', nargs='*', metavar='FILE', help=f'{inputs}; folders are searched')
    parser.add_argument('--model', nargs='+', metavar='NAME', default=[],
                        help=f'name of weights that come with the package{weights}, a checkpoint of yours, or its '
                        'config and the checkpoint')
    parser.add_argument('--out', default='predictions', metavar='DIR', help='folder for files (default: predictions)')
    for kind in formats:
        parser.add_argument(f'--{kind}', action='append_const', dest='write', const=kind, help=_WRITTEN[kind])
    parser.add_argument('--batch-size', type=int, default=1, metavar='N', help='inputs a pass of the model')
    parser.add_argument('--device', help="'cpu', 'cuda:0', ... (default: what is there)")
    parser.add_argument('--models', action='store_true', help='describe the weights that come with the package')
    return parser


def add_frame(parser: argparse.ArgumentParser, columns: bool = True) -> None:
    """The frame of scans; ``columns`` where .bin files are read."""
    parser.add_argument('--up', choices=AXES,
                        help='axis that points up in the files (found from the floor if not given)')
    parser.add_argument('--unit', help='m, cm, mm, ft, in, or metres per unit (found from the extent if not given)')
    parser.add_argument('--no-align', dest='align', action='store_false',
                        help='leave walls turned as they are in place of turning them along the axes')
    if columns:
        parser.add_argument('--columns', type=int, metavar='N',
                            help='numbers a point has in a .bin file (found from the numbers if not given)')


def add_up(parser: argparse.ArgumentParser) -> None:
    """The frame of shapes."""
    parser.add_argument('--up', choices=AXES, default='z', help='axis that points up in the files (default: z)')


def infer(args: argparse.Namespace, kind: str, line, **options) -> None:
    """Results for all inputs: a line or more each on the screen, and files.

    Args:
        args: Of :func:`base_parser`.
        kind: Name of the inferencer.
        line: From a prediction to what the screen shows of it.
        options: Of the call.

    Raises:
        UserError: For options that do not fit, and at the end if inputs were left out, with their list.
    """
    start = time.perf_counter()
    if args.models:
        return describe()
    if not args.inputs:
        raise UserError('no input: give files or folders.' + (
            f' What follows --model was taken for the model: {" ".join(args.model)}. Put the files before it.'
            if args.model else ''))
    if len(args.model) > 2:
        raise UserError(f'--model takes a name, a checkpoint, or a config and a checkpoint; got {args.model}. Put the '
                        'files before it.')
    if args.batch_size < 1:
        raise UserError(f'--batch-size must be 1 or more, got {args.batch_size}.')

    import logging

    from mmengine.logging import MMLogger

    from m2ae_mm import inference
    logger = MMLogger.get_instance('m2ae')
    logger.setLevel(logging.WARNING)
    inferencer = getattr(inference, kind)(*args.model, device=args.device)
    logger.setLevel(logging.ERROR)  # what is left out is told below
    loaded = time.perf_counter()
    written = dict(out_dir=args.out, write=args.write) if args.write else {}
    found = inferencer(args.inputs, batch_size=args.batch_size, **written, **options)
    for prediction in found['predictions']:
        print(line(prediction))
    done = len(found['predictions'])
    print(f'{done} done by {inferencer.title} in {time.perf_counter() - loaded:.1f} s (loading: {loaded - start:.1f} s)'
          + (f'; files in {args.out}' if args.write else ''))
    if found['left_out']:
        raise UserError(inference.left_out_text(found['left_out']))
    return None


def describe() -> None:
    """Print what is known about the weights that come with the package."""
    from m2ae_mm import inference
    from m2ae_mm.checkpoint import shipped_names
    print('\n'.join(map(inference.description, shipped_names())))
