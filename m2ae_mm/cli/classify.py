"""The class of each shape."""
from .inference import add_up, base_parser, infer


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__, 'shapes', ('json', 'png'), '')
    add_up(parser)
    return parser.parse_args(arguments)


def line(prediction: dict) -> str:
    """Its class and score."""
    return f'{prediction["name"]}: {prediction["class_name"]} ({100 * prediction["score"]:.0f} %)'


def main(args) -> None:
    infer(args, 'M2AEClassifyInferencer', line, up=args.up)
