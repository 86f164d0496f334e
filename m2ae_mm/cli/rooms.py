"""Compose furnished rooms with 3D boxes in ScanNet's layout, for use where ScanNet itself is not at hand."""
import argparse
import time

# Formats of label files; those of datasets/own_boxes/samples.py.
LABELS = ('labelcloud', 'labelcloud-vertices', 'csv', 'sunrgbd', 'scannet')


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--out', required=True, help='folder to write to; an interrupted run continues')
    parser.add_argument('--train', type=int, default=400, help='number of training rooms')
    parser.add_argument('--val', type=int, default=60, help='number of validation rooms, of other furniture')
    parser.add_argument('--points', type=int, default=20000, help='most points per room')
    parser.add_argument('--seed', type=int, default=0, help='equal seeds give equal rooms')
    parser.add_argument('--profile', default='normal',
                        help='normal, or hard: one or two camera positions, more noise and clutter')
    parser.add_argument('--workers', type=int, default=0, help='processes; 0 takes one per core')
    parser.add_argument('--labels', choices=LABELS, help='write PLY scans and label files of this format, as people '
                        'label their own rooms with and `m2ae data boxes` reads them, in place of the layout')
    return parser.parse_args(arguments)


def main(args) -> None:
    # After parsing, so that --help does not wait for mmdet3d.
    if args.labels:
        from m2ae_mm.datasets.own_boxes.samples import write_samples
        write_samples(args.out, args.labels, args.train, args.val, args.points, args.seed, args.profile)
        print(f'{args.train + args.val} rooms are in {args.out!r}: scans/ and labels/.')
        return
    from m2ae_mm.datasets.rooms import create_rooms
    from m2ae_mm.datasets.rooms.writer import summary

    start = time.perf_counter()
    result = create_rooms(args.out, args.train, args.val, args.points, args.seed, args.profile, args.workers)
    print(summary(result))
    print(f'{args.train} training and {args.val} validation rooms are in {args.out!r} '
          f'({time.perf_counter() - start:.0f} s).')
