"""Prepare a data set from the files that its authors hand out."""
import argparse
import time


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    sets = parser.add_subparsers(dest='data', required=True)
    scannet = sets.add_parser('scannet', help='ScanNetV2 for detection, in the layout of mmdet3d',
                              description='ScanNetV2 for detection, in the layout of mmdet3d.')
    scannet.add_argument('--root', required=True, help='the scans/ of the raw release, or the folder that holds it')
    scannet.add_argument('--out', default='data/scannet',
                         help='folder to write to (default: %(default)s); an interrupted run goes on where it was')
    scannet.add_argument('--workers', type=int, default=0, help='processes (default: one per core)')
    scannet.add_argument('--splits', help='folder with scannetv2_train.txt, scannetv2_val.txt and, if wanted, '
                         'scannetv2_test.txt (default: ROOT)')
    scannet.add_argument('--labels', help='scannetv2-labels.combined.tsv (default: in ROOT or beside it)')
    scannet.add_argument('--max-points', type=int, default=0,
                         help='keep at most so many points of a scan, drawn at random (default: all; training draws '
                         'its own sample anew each time, and from capped scans it ends several points of AP lower)')
    scannet.add_argument('--skip-incomplete', action='store_true',
                         help='leave scans out of which files are missing or damaged, instead of stopping')
    return parser.parse_args(arguments)


def main(args) -> None:
    # After parsing, so that --help does not wait for mmdet3d.
    from m2ae_mm.datasets.scannet_raw import create_scannet
    from m2ae_mm.datasets.scannet_raw.writer import summary

    start = time.perf_counter()
    records = create_scannet(args.root, args.out, args.workers, args.splits, args.labels, args.max_points,
                             args.skip_incomplete)
    print(summary(records))
    print(f'{sum(map(len, records.values()))} scans are in {args.out!r} ({time.perf_counter() - start:.0f} s).')
