"""What a user should check before training: points in boxes, counts of classes, pictures."""
import csv
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np

from m2ae_mm.files import write_text

from .rooms import POINTS, Room, written_in_several_ways
from .text_labels import COLUMNS
from .writer import SPLITS, Prepared

CHECK = 'check'
# Points of a room that the package's detector samples, and the fewest of them that a box should hold.
SAMPLED, FEW = 8192, 5
_SHOWN = 10


def write_check(prepared: Prepared) -> list[Path]:
    """Write ``check/boxes.csv``, all boxes with their points in the frames of their scans, and draw up to five rooms.

    Returns:
        The pictures.
    """
    from m2ae_mm.visualization.figures import detection_figure
    folder = prepared.out / CHECK
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.png'):
        old.unlink()
    text = StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow([*COLUMNS, 'points', 'sampled', 'split'])
    for split, room in _rooms(prepared):
        for name, box, count, seen in zip(room.names, room.frame.undo_boxes(room.boxes), room.counts, _sampled(room)):
            table.writerow([room.scan.name, name, *(f'{value:.6g}' for value in box), count, f'{seen:.1f}', split])
    write_text(folder / 'boxes.csv', text.getvalue())
    rooms = list(_rooms(prepared))
    chosen = [rooms[i] for i in np.unique(np.linspace(0, len(rooms) - 1, 5).round().astype(int))]
    numbers = {name: label for label, name in enumerate(prepared.classes)}
    drawn = []
    for split, room in chosen:
        points = np.fromfile(prepared.out / POINTS / f'{room.name}.bin', '<f4').reshape(-1, 6)
        drawn.append(detection_figure(points if room.coloured else points[:, :3], room.boxes,
                                      np.array([numbers[name] for name in room.names], np.int64), None, None, None,
                                      prepared.classes, folder / f'{split}_{room.name}.png',
                                      true_title=f'{room.scan.name}, labelled boxes'))
    return drawn


def summary(prepared: Prepared) -> str:
    """Boxes and points of each class, the inferred frames, and what looks wrong."""
    rows = [(split, name, count, seen) for split, room in _rooms(prepared)
            for name, count, seen in zip(room.names, room.counts, _sampled(room))]
    width = max(map(len, [*prepared.classes, 'boxes of class'])) + 2
    lines = [f'{"boxes of class":<{width}}{"train":>8}{"val":>8}   points in a box: least, median']
    for name in prepared.classes:
        own = [row for row in rows if row[1] == name]
        counts = [row[2] for row in own]
        shown = f'{min(counts):>12,}{int(np.median(counts)):>12,}' if own else ''
        lines.append(f'{name:<{width}}' + ''.join(f'{sum(row[0] == split for row in own):>8}' for split in SPLITS)
                     + shown)
    kind = 'turned boxes' if prepared.rotated else 'axis-aligned boxes'
    lines.append(f'{len(prepared.rooms["train"])} rooms to train on, {len(prepared.rooms["val"])} to validate on; '
                 f'{len(rows)} {kind} of {len(prepared.classes)} classes')
    return '\n'.join([*lines, *_remarks(prepared)])


def _remarks(prepared: Prepared) -> Iterator[str]:
    frames = Counter(f'in {room.frame.unit} with {room.frame.up_axis} up' for _, room in _rooms(prepared))
    yield 'scans are ' + ', '.join(f'{what} ({count})' for what, count in frames.most_common())
    if len(frames) > 1:
        rare = frames.most_common()[-1][0]
        names = [room.scan.name for _, room in _rooms(prepared)
                 if f'in {room.frame.unit} with {room.frame.up_axis} up' == rare]
        yield f'look at {", ".join(names[:5])}: if all scans are alike, give --unit and --up'
    for group in written_in_several_ways(Counter(prepared.classes)):
        yield f'{group} are different classes; give them one name if they are the same thing'
    trained = {name for room in prepared.rooms['train'] for name in room.names}
    if absent := [name for name in prepared.classes if name not in trained]:
        yield f'no room to train on has {", ".join(absent)}'
    few = [f'{room.scan.name}: {name} at {" ".join(f"{value:.4g}" for value in box[:3])} holds {count} of '
           f'{room.scanned:,} points' for _, room in _rooms(prepared)
           for name, box, count, seen in zip(room.names, room.frame.undo_boxes(room.boxes), room.counts, _sampled(room))
           if seen < FEW]
    if few:
        yield (f'{len(few)} boxes hold too few points to be found (fewer than {FEW} of the {SAMPLED:,} that the '
               'detector takes of a room):')
        yield from (f'  {line}' for line in few[:_SHOWN])
        if len(few) > _SHOWN:
            yield f'  ... and {len(few) - _SHOWN} more, in {CHECK}/boxes.csv'


def _sampled(room: Room) -> np.ndarray:
    """``(M,)`` expected number of points in each box in a sample of :data:`SAMPLED`."""
    return room.counts * min(1., SAMPLED / max(room.scanned, 1))


def _rooms(prepared: Prepared) -> Iterator[tuple[str, Room]]:
    for split in SPLITS:
        for room in prepared.rooms[split]:
            yield split, room
