"""The part that each point of a shape belongs to."""
from .inference import add_up, base_parser, infer


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__, 'shapes', ('json', 'ply', 'png', 'html', 'npz'), '')
    add_up(parser)
    parser.add_argument('--category', help='category of the shapes, by name or number')
    return parser.parse_args(arguments)


def line(prediction: dict) -> str:
    """How many points the parts have."""
    parts = prediction['parts'].tolist()
    told = ', '.join(f'part {number}: {parts.count(number)}' for number in sorted(set(parts)))
    return f'{prediction["name"]}: {len(parts)} points ({told})'


def main(args) -> None:
    infer(args, 'M2AESegmentInferencer', line, up=args.up, category=args.category)
