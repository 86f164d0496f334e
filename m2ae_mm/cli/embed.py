"""A feature of each shape or scan, as the linear probe sees it."""
from .inference import add_frame, base_parser, infer


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__, 'shapes, or scans for models of scenes', ('json', 'npz'), ' (default: shapes_small)')
    add_frame(parser)
    return parser.parse_args(arguments)


def line(prediction: dict) -> str:
    """How long the feature is, and its first numbers."""
    feature = prediction['feature']
    return f'{prediction["name"]}: {len(feature)} numbers, {" ".join(f"{value:.3f}" for value in feature[:5])} ...'


def main(args) -> None:
    infer(args, 'M2AEEmbedInferencer', line, up=args.up, unit=args.unit, align=args.align, columns=args.columns)
