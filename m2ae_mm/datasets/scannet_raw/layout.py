"""Where ScanNet's release keeps what."""
import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from m2ae_mm.errors import UserError, reading
from m2ae_mm.files import inside, read_text

SPLITS = ('train', 'val', 'test')
LABELS = 'scannetv2-labels.combined.tsv'
HELP = f'''Expected, as the release has it:
  ROOT/<scene>/<scene>_vh_clean_2.ply, <scene>.txt, <scene>.aggregation.json, <scene>_vh_clean_2.0.010000.segs.json
  ROOT/{LABELS}, or beside ROOT, or named with --labels
  scannetv2_train.txt, scannetv2_val.txt and, if wanted, scannetv2_test.txt in the folder given with --splits
ROOT is the folder scans/ or the one that holds it; test scenes lie in scans_test/ beside scans/ and have no
annotations. Ask the authors of ScanNet (http://www.scan-net.org) for what is missing, or leave scenes that are not
complete out with --skip-incomplete.'''


@dataclass(frozen=True)
class RawScene:
    """The files of one scan.

    Attributes:
        name: As in the split lists, e.g. ``scene0000_00``.
        folder: Where its files are.
        annotated: False for scenes of the test split.
    """
    name: str
    folder: Path
    annotated: bool

    @property
    def mesh(self) -> Path:
        return self.folder / f'{self.name}_vh_clean_2.ply'

    @property
    def meta(self) -> Path:
        return self.folder / f'{self.name}.txt'

    @property
    def aggregation(self) -> Path:
        return self.folder / f'{self.name}.aggregation.json'

    @property
    def segments(self) -> Path:
        return self.folder / f'{self.name}_vh_clean_2.0.010000.segs.json'

    @property
    def files(self) -> list[Path]:
        """All that :func:`read_scene` opens."""
        return [self.mesh, self.meta, self.aggregation, self.segments] if self.annotated else [self.mesh]


def find_scenes(root: Path, splits: Path) -> dict[str, list[RawScene]]:
    """Scenes of each split that has a list.

    Args:
        root: The release's ``scans/``, or the folder that holds it.
        splits: Folder with ``scannetv2_{train,val,test}.txt``.

    Raises:
        FileNotFoundError: If there is no list at all.
        ValueError: If a list is empty, a scene is listed twice, or a name
            leads out of the folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'there is no folder {str(root)!r}.\n{HELP}')
    lists = {split: splits / f'scannetv2_{split}.txt' for split in SPLITS}
    lists = {split: path for split, path in lists.items() if path.is_file()}
    if not lists:
        raise FileNotFoundError(f'none of scannetv2_{{{",".join(SPLITS)}}}.txt is in {str(splits)!r}. They come with '
                                'the code of ScanNet (Tasks/Benchmark); name their folder with --splits.')
    seen: dict[str, Path] = {}
    scenes: dict[str, list[RawScene]] = {}
    for split, path in lists.items():
        names = read_text(path).split()
        if not names:
            raise ValueError(f'{str(path)!r} lists no scene; get it again or remove it to leave the split out.')
        for name in names:
            if name in seen:
                raise ValueError(f'{name} is listed twice, in {str(seen[name])!r} and {str(path)!r}; a scene belongs '
                                 'to one split.')
            if inside(root, name).parent != root:
                raise UserError(f'{str(path)!r} lists {name!r}, which is no name of a scene: it has folders in it.')
            seen[name] = path
        scenes[split] = [RawScene(name, _folder(root, name), split != 'test') for name in names]
    return scenes


def _folder(root: Path, name: str) -> Path:
    """Where a scene is; where it should be if it is nowhere."""
    places = [root / name, root / 'scans' / name, root / 'scans_test' / name, root.parent / 'scans_test' / name]
    return next((place for place in places if place.is_dir()), places[0])


def find_labels(root: Path, given: Path | None) -> Path:
    """The label table: as given, or in ``root``, or beside it."""
    places = [given] if given else [root / LABELS, root.parent / LABELS]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f'there is no label table {" or ".join(repr(str(place)) for place in places)}; it comes '
                            'with the release, name it with --labels.')


def read_labels(path: Path) -> dict[str, int]:
    """NYU40 id of each label of the annotators, 0 where the table gives none.

    Raises:
        ValueError: If the table is not UTF-8 or lacks a column, or an id is no number from 0 to 40.
    """
    advice = f'Use {LABELS} of the second release as it is.'
    with reading(path, advice=advice):
        reader = csv.DictReader(StringIO(path.read_text(encoding='utf-8-sig')), delimiter='\t')
        columns, table = reader.fieldnames or [], list(reader)
    if not {'raw_category', 'nyu40id'} <= set(columns):
        raise ValueError(f'{str(path)!r} needs columns raw_category and nyu40id split by tabs, got '
                         f'{", ".join(columns) or "nothing"}. {advice}')
    rows = [(row['raw_category'], (row['nyu40id'] or '').strip() or '0') for row in table]
    for label, number in rows:
        if not number.isdecimal() or int(number) > 40:
            raise ValueError(f'{str(path)!r} gives {label!r} the nyu40id {number!r}, expected 0 to 40.')
    return {label: int(number) for label, number in rows}
