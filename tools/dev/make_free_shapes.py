#!/usr/bin/env python
"""Choose the shapes that come with the package out of the data set free_shapes.

Takes the largest classes with a clear meaning, with up to a number of shapes each, in the official split. Training
shapes of all other classes come along without a label, for pre-training; test shapes of those stay out, so that the
whole data set can still test what was pre-trained on this part. The result is always the same for the same source.
"""
import argparse
import csv
import json
from pathlib import Path

import numpy as np

from m2ae_mm.datasets.io.grid_points import to_steps
from m2ae_mm.datasets.npz_shapes import SHIPPED_SHAPES
from m2ae_mm.files import load_arrays

# All CC0; metro_minis is CC BY and stays out.
FILES = ('kenney', 'kaykit', 'base_meshes', 'quaternius_packs')
CLASSES, LARGEST, UNLABELLED, POINTS = 30, 40, 750, 1024
# Named by use rather than by form, or parts of building kits that their names hardly tell apart.
VAGUE = ('appliance', 'baked_goods', 'building', 'column', 'crate_box', 'gate_arch', 'hand_tool', 'icon',
         'meat_fish_food', 'moulding', 'roof')
CREDITS = ('name', 'source', 'path in source', 'author', 'licence')


def joined(source: Path) -> dict[str, np.ndarray]:
    """All files as one: what is needed of each shape, with ``file`` and ``index`` for the credits."""
    packs = [load_arrays(source / f'{name}.npz') for name in FILES]
    arrays = {key: np.concatenate([pack[key] for pack in packs])
              for key in ('points', 'label', 'split', 'group', 'name', 'licence')}
    arrays['file'] = np.repeat(FILES, [len(pack['label']) for pack in packs])
    arrays['index'] = np.concatenate([np.arange(len(pack['label'])) for pack in packs])
    if set(arrays['licence']) != {'CC0-1.0'}:
        raise ValueError(f'only CC0 may come with the package, found {sorted(set(arrays["licence"]))}')
    return arrays


def largest_classes(label: np.ndarray, names: list[str]) -> np.ndarray:
    """Labels of the classes to take, the order of their names kept."""
    counts = np.bincount(label[label >= 0], minlength=len(names))
    counts[[names.index(name) for name in VAGUE]] = 0
    return np.sort(np.argsort(-counts, kind='stable')[:CLASSES])


def choose(shapes: dict[str, np.ndarray], classes: np.ndarray) -> np.ndarray:
    """Positions of the shapes to take, the labelled ones first; each class keeps its share of test shapes."""
    rng, chosen = np.random.default_rng(0), []
    for label in classes:
        members = [np.flatnonzero((shapes['label'] == label) & (shapes['split'] == split)) for split in (0, 1)]
        share = min(1., LARGEST / sum(map(len, members)))
        chosen += [np.sort(rng.permutation(each)[:round(share * len(each))]) for each in members]
    others = np.flatnonzero(~np.isin(shapes['label'], classes) & (shapes['split'] == 0))
    return np.concatenate([*chosen, np.sort(rng.permutation(others)[:UNLABELLED])])


def write_credits(source: Path, shapes: dict[str, np.ndarray], chosen: np.ndarray, target: Path) -> None:
    """Where every shape comes from, in the order of the pack."""
    with open(source / 'credits.tsv', newline='', encoding='utf-8') as stream:
        rows = {(row['file'], int(row['index'])): row for row in csv.DictReader(stream, delimiter='\t')}
    with open(target, 'w', newline='', encoding='utf-8') as stream:
        writer = csv.DictWriter(stream, CREDITS, delimiter='\t', extrasaction='ignore', lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows[str(shapes['file'][i]), int(shapes['index'][i])] for i in chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--source', type=Path, required=True, help='folder of free_shapes')
    parser.add_argument('--out', type=Path, default=SHIPPED_SHAPES, help='(default: %(default)s)')
    args = parser.parse_args()
    missing = [name for name in (*(f'{file}.npz' for file in FILES), 'classes.json', 'credits.tsv')
               if not (args.source / name).is_file()]
    if missing:
        parser.error(f'--source {str(args.source)!r} lacks {", ".join(missing)}')
    names = json.loads((args.source / 'classes.json').read_text(encoding='utf-8'))['classes']
    shapes = joined(args.source)
    classes = largest_classes(shapes['label'], names)
    chosen = choose(shapes, classes)
    label = np.where(np.isin(shapes['label'], classes), np.searchsorted(classes, shapes['label']), -1)[chosen]
    args.out.mkdir(parents=True, exist_ok=True)
    pack = args.out / 'free_shapes.npz'
    np.savez_compressed(pack, steps=to_steps(shapes['points'][chosen, :POINTS]), label=label.astype(np.int64),
                        **{key: shapes[key][chosen] for key in ('split', 'group', 'name')})
    text = json.dumps(dict(classes=[names[i] for i in classes]), indent=1)
    (args.out / 'classes.json').write_text(text + '\n', encoding='utf-8')
    write_credits(args.source, shapes, chosen, args.out / 'CREDITS.tsv')
    test = shapes['split'][chosen] == 1
    print(f'{len(chosen)} shapes, {(label >= 0).sum()} of {len(classes)} classes ({test.sum()} for testing), '
          f'{pack.stat().st_size / 1e6:.1f} MB in {args.out}')


if __name__ == '__main__':
    main()
