"""Prepare a data set: one from the files that its authors hand out, or your own rooms with labels."""
import argparse
import time

from ..errors import UserError
from .inference import add_frame

_SHOWN = 20  # of what was left out


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    sets = parser.add_subparsers(dest='data', required=True)
    scannet = _add_set(sets, 'scannet', 'ScanNetV2 for detection and segmentation, in the layout of mmdet3d',
                       'the scans/ of the raw release, or the folder that holds it')
    scannet.add_argument('--splits', help='folder with scannetv2_train.txt, scannetv2_val.txt and, if wanted, '
                         'scannetv2_test.txt (default: ROOT)')
    scannet.add_argument('--labels', help='scannetv2-labels.combined.tsv (default: in ROOT or beside it)')
    scannet.add_argument('--max-points', type=int, default=0,
                         help='keep at most so many points of a scan, drawn at random (default: all; training draws '
                         'its own sample anew each time, and from capped scans it ends several points of AP lower)')
    scannet.add_argument('--skip-incomplete', action='store_true',
                         help='leave out scans with missing or damaged files instead of stopping')
    _add_set(sets, 's3dis', 'S3DIS for segmentation, in the layout of mmdet3d',
             'Stanford3dDataset_v1.2_Aligned_Version, or the folder that holds it')
    _add_boxes(sets)
    _add_points(sets)
    return parser.parse_args(arguments)


def _add_set(sets, name: str, what: str, root: str) -> argparse.ArgumentParser:
    """Options that published data sets have in common."""
    parser = sets.add_parser(name, help=what, description=f'{what}.')
    parser.add_argument('--root', required=True, help=root)
    parser.add_argument('--out', default=f'data/{name}',
                        help='folder to write to (default: %(default)s); an interrupted run continues')
    parser.add_argument('--workers', type=int, default=0, help='processes (default: one per core)')
    return parser


def _add_boxes(sets) -> None:
    boxes = _add_own(sets, 'boxes', 'labelled boxes', 'for configs/m2ae/own_det.py; see docs/own_rooms.md.',
                     'folder of scans: .bin .glb .las .laz .npy .npz .obj .off .pcd .ply .stl .txt .xyz')
    boxes.add_argument('--labels', required=True, metavar='DIR', help="folder of label files (labelCloud's .json, "
                       "ScanNet's .json, .csv, SUN RGB-D's .txt), or one file")
    add_frame(boxes)
    boxes.add_argument('--angles', choices=['deg', 'rad'], help="what rotations in labelCloud's files are in (found "
                       'from the files if not given)')
    boxes.add_argument('--classes', metavar='A,B,...', help='take these classes only, in this order (default: all '
                       'that occur, by name)')


def _add_points(sets) -> None:
    points = _add_own(sets, 'points', 'a class for each point', 'for configs that inherit from '
                      'configs/m2ae/rooms_seg.py; see docs/tasks/semantic_segmentation.md.',
                      'folder of scans with labels: .ply .npz .npy .txt .xyz')
    points.add_argument('--classes', required=True, metavar='A,B,...', help='names in the order of their labels, for '
                        'the values 0, 1, 2 ... in the scans, or with these: floor=2,wall=1')
    add_frame(points, columns=False)


def _add_own(sets, name: str, labels: str, use: str, scans: str) -> argparse.ArgumentParser:
    """Options that scans of one's own have in common."""
    what = f'your own scans of rooms with {labels}'
    parser = sets.add_parser(name, help=what, description=f'{what.capitalize()}, {use}')
    parser.add_argument('--scans', required=True, metavar='DIR', help=scans)
    parser.add_argument('--out', default='data/mine', help='folder to write to (default: %(default)s)')
    parser.add_argument('--val-share', type=float, default=0.2, metavar='SHARE',
                        help='share of the scans to validate on (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the draw of these scans (default: %(default)s)')
    parser.add_argument('--val-list', metavar='FILE', help='text file with the names of the scans to validate on, one '
                        'a line, in place of the share')
    parser.add_argument('--max-points', type=int, default=200_000, metavar='N',
                        help='keep at most so many points of a scan, drawn at random; 0 keeps all (default: '
                        '%(default)s)')
    return parser


def main(args) -> None:
    dict(boxes=prepare_boxes, points=prepare_points, scannet=prepare_scannet, s3dis=prepare_s3dis)[args.data](args)


def prepare_boxes(args) -> None:
    """Write what can be used.

    Raises:
        ValueError: At the end, if anything was left out, with the list.
    """
    from m2ae_mm.datasets.own_boxes import create_own_boxes
    from m2ae_mm.datasets.own_boxes.check import summary, write_check

    start = time.perf_counter()
    classes = [name.strip() for name in args.classes.split(',')] if args.classes else ()
    prepared = create_own_boxes(args.scans, args.labels, args.out, args.unit, args.up, args.align, args.columns,
                                args.angles, classes, args.val_share, args.seed, args.val_list, args.max_points)
    pictures = write_check(prepared)
    print(summary(prepared))
    print(f'written to {args.out!r} ({time.perf_counter() - start:.0f} s). Look at {len(pictures)} rooms with their '
          f'boxes: {pictures[0].parent}/*.png. Train with: m2ae train m2ae_mm::m2ae/own_det.py --data {args.out}')
    _tell(prepared.left_out, args.out)


def prepare_points(args) -> None:
    """Write what can be used.

    Raises:
        ValueError: At the end, if anything was left out, with the list.
    """
    from m2ae_mm.datasets.own_points import create_own_points, summary

    start = time.perf_counter()
    classes, values = named_values(args.classes)
    split, left_out = create_own_points(args.scans, args.out, classes, values, args.unit, args.up, args.align,
                                        args.val_share, args.seed, args.val_list, args.max_points)
    print(summary(split, classes))
    print(f'written to {args.out!r} ({time.perf_counter() - start:.0f} s). In a config that inherits from '
          f"m2ae_mm::m2ae/rooms_seg.py: data_root={args.out + '/'!r}, metainfo=dict(classes={classes}), "
          "ann_file='infos_train.pkl' and 'infos_val.pkl'.")
    _tell(left_out, args.out)


def named_values(text: str) -> tuple[list[str], dict[str, int] | None]:
    """Names of ``a,b``, or names and values of ``a=2,b=1``.

    Raises:
        UserError: For values that are no whole numbers, or only some of the names with one.
    """
    entries = [entry.partition('=') for entry in text.split(',')]
    names = [name.strip() for name, *_ in entries]
    if not all(names):
        raise UserError(f'--classes needs names split by commas, got {text!r}.')
    if not any(mark for _, mark, _ in entries):
        return names, None
    wrong = [''.join(entry) for entry in entries if not entry[2].strip().isdigit()]
    if wrong:
        raise UserError(f'--classes has {wrong[0]!r} where a name and the value that it has in the scans are needed, '
                        f'as floor=2; give all of them a value, or none.')
    return names, {name: int(value) for name, (*_, value) in zip(names, entries)}


def _tell(left_out, out: str) -> None:
    """Raise what was left out."""
    if left_out:
        lines = left_out.lines()
        shown = [f'  {line}' for line in lines[:_SHOWN]]
        more = [f'  ... and {len(lines) - _SHOWN} more'] if len(lines) > _SHOWN else []
        raise UserError('\n'.join([f'{len(lines)} left out, also listed in {out}/left_out.txt; the rest is written.',
                                   *shown, *more]))


def prepare_scannet(args) -> None:
    """Write ScanNetV2."""
    # After parsing, so that --help does not wait for mmdet3d.
    from m2ae_mm.datasets.scannet_raw import create_scannet
    from m2ae_mm.datasets.scannet_raw.writer import summary

    start = time.perf_counter()
    records = create_scannet(args.root, args.out, args.workers, args.splits, args.labels, args.max_points,
                             args.skip_incomplete)
    print(summary(records))
    print(f'{sum(map(len, records.values()))} scans are in {args.out!r} ({time.perf_counter() - start:.0f} s).')


def prepare_s3dis(args) -> None:
    """Write S3DIS."""
    from m2ae_mm.datasets.s3dis_raw import create_s3dis, summary

    start = time.perf_counter()
    areas = create_s3dis(args.root, args.out, args.workers)
    print(summary(areas))
    print(f'{sum(map(len, areas.values()))} rooms are in {args.out!r} ({time.perf_counter() - start:.0f} s).')
