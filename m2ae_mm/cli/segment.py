"""The class of each point of a scan of a room, or the part that each point of a shape belongs to."""
from ..errors import UserError
from .inference import add_frame, base_parser, infer

_DEFAULT = 'rooms_seg'


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__, 'scans, or shapes for models of shapes', ('json', 'ply', 'png', 'html', 'npz'),
                         f' (default: {_DEFAULT})')
    add_frame(parser)
    parser.add_argument('--category', help='category of the shapes, by name or number')
    return parser.parse_args(arguments)


def line(prediction: dict) -> str:
    """How many points the parts or classes have."""
    if 'labels' in prediction:
        labels, names = prediction['labels'].tolist(), prediction['classes']
        told = ', '.join(f'{names[label]}: {labels.count(label)}' for label in sorted(set(labels)))
    else:
        labels = prediction['parts'].tolist()
        told = ', '.join(f'part {number}: {labels.count(number)}' for number in sorted(set(labels)))
    return f'{prediction["name"]}: {len(labels)} points ({told})'


def main(args) -> None:
    if args.models or not args.model or _is_of_scenes(args.model):
        if args.category is not None and not args.models:
            raise UserError(f'--category is for parts of shapes; {(args.model or [_DEFAULT])[0]!r} tells the classes '
                            'of points of scenes. Leave it out, or give a model of parts as --model.')
        return infer(args, 'M2AESceneSegInferencer', line, unit=args.unit, up=args.up, align=args.align,
                     columns=args.columns)
    if args.unit is not None or args.columns is not None or not args.align:
        raise UserError('--unit, --columns and --no-align are for scans of rooms, and this model takes shapes. Leave '
                        'them out.')
    return infer(args, 'M2AESegmentInferencer', line, up=args.up or 'z', category=args.category)


def _is_of_scenes(model: list[str]) -> bool:
    from m2ae_mm.inference import config_named
    return bool((config_named(*model).get('model') or {}).get('decode_head'))
