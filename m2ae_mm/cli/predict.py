"""Boxes of the things in scans of rooms, in any unit and with any axis up."""
from .inference import add_frame, base_parser, infer


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__, 'scans: .bin .glb .las .laz .npy .npz .obj .off .pcd .ply .stl .txt .xyz',
                         ('json', 'ply', 'png', 'html'), ' (default: rooms_det)')
    add_frame(parser)
    parser.add_argument('--score-thr', type=float, help='boxes below this score are left out (default: '
                        'for rooms_det the score of the best F1 in training rooms, else 0.3)')
    return parser.parse_args(arguments)


def lines(prediction: dict) -> str:
    """Boxes as a table."""
    frame = prediction['frame']
    turned = f', walls turned by {57.2958 * frame["heading"]:.0f} degrees' if frame['heading'] else ''
    count = len(prediction['boxes'])
    head = f'{prediction["name"]}: {count} box{"es" * (count != 1)} (in {frame["unit"]}, {frame["up"]} up{turned})'
    rows = [f'  {name:<16}{score:5.2f}  at {_numbers(box[:3])}  size {_numbers(box[3:6])}  yaw {box[6]:5.2f}'
            for name, score, box in zip(prediction['classes'], prediction['scores'], prediction['boxes'])]
    return '\n'.join([head, *rows])


def _numbers(values) -> str:
    return ' '.join(f'{value:9.5g}' if abs(value) < 1e5 else f'{value:.2f}' for value in values)  # coordinates of maps


def main(args) -> None:
    infer(args, 'M2AEDetInferencer', lines, unit=args.unit, up=args.up, align=args.align, columns=args.columns,
          score_thr=args.score_thr)
