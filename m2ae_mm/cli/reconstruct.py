"""What a masked autoencoder fills in."""
from .inference import add_frame, base_parser, infer


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__, 'shapes, or scans for models of scenes',
                         ('json', 'ply', 'png', 'html', 'npz'), ' (default: shapes_small)')
    add_frame(parser)
    parser.add_argument('--mask-ratio', type=float, metavar='R',
                        help='share of the coarsest tokens to mask (default: as in training)')
    return parser.parse_args(arguments)


def line(prediction: dict) -> str:
    """The sizes of its clouds, and the distance."""
    return (f'{prediction["name"]}: {len(prediction["visible"])} points visible, {len(prediction["reconstructed"])} '
            f'reconstructed, Chamfer distance {prediction["loss"]:.4f}')


def main(args) -> None:
    infer(args, 'M2AEReconstructInferencer', line, up=args.up, unit=args.unit, align=args.align, columns=args.columns,
          mask_ratio=args.mask_ratio)
