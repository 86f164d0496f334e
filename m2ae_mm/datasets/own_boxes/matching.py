"""Which label file belongs to which scan."""
import re
from collections.abc import Iterable
from pathlib import Path

from m2ae_mm.errors import UserError, reason

from ..io.scans import scan_files
from .boxes import LabelledBox, LeftOut
from .json_labels import SEGMENTS, SETTINGS, in_degrees, read_boxes
from .text_labels import is_sunrgbd, read_csv, read_sunrgbd

AGGREGATION = '.aggregation.json'
# Endings of ScanNet's meshes that the names of its label files lack.
_MESH = re.compile(r'_vh_clean(_2)?(\.labels)?$')
_NO_SCAN = 'there is no scan of this name'


def find_scans(scans: Path, labels: Path, out: Path) -> list[Path]:
    """The scans of a folder, without its label files and without files written to ``out``.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is none.
    """
    check_folders(scans, out, labels)
    found = [path for path in scan_files(scans)
             if not path.resolve().is_relative_to(out.resolve()) and not _is_label_text(path)]
    if not found:
        raise UserError(f'the folder {str(scans)!r} has no scans, only files that are labels or were prepared before.')
    return found


def check_folders(scans: Path, out: Path, labels: Path | None = None) -> None:
    """Refuse folders that do not exist, and an output folder that holds the scans.

    Raises:
        FileNotFoundError: If a folder does not exist.
        UserError: If scans would be written among scans.
    """
    for option, folder in (('--scans', scans), ('--labels', labels)):
        if folder is not None and not folder.exists():
            raise FileNotFoundError(f'{option}: there is no folder {str(folder)!r}.')
    if scans.resolve().is_relative_to(out.resolve()):
        raise UserError(f'--out {str(out)!r} holds the scans, {str(scans)!r}. Choose a folder of its own.')


def find_labels(labels: Path, scans: Iterable[Path], out: Path, left_out: LeftOut) -> list[Path]:
    """The label files of a folder; files of other formats are recorded as left out.

    Raises:
        ValueError: If there is none.
    """
    if labels.is_file():
        return [labels]
    taken = {path.resolve() for path in scans}
    files = sorted(path for path in labels.rglob('*') if path.is_file() and path.resolve() not in taken
                   and not path.resolve().is_relative_to(out.resolve())
                   and not any(part.startswith('.') for part in path.relative_to(labels).parts))
    of_scannet = {path.name.removesuffix(AGGREGATION) for path in files if path.name.endswith(AGGREGATION)}
    found = []
    for path in files:
        if path.name == SETTINGS or path.name.endswith(SEGMENTS) or path.suffix == '.txt' and path.stem in of_scannet:
            continue
        if path.suffix.lower() in ('.json', '.csv', '.txt'):
            found.append(path)
        else:
            left_out.add(path.name, f'label files end in .json, .csv or .txt, this one in {path.suffix or "nothing"!r}')
    if not found:
        raise UserError(f'the folder {str(labels)!r} has no label files (.json, .csv, .txt).')
    return found


def _is_label_text(path: Path) -> bool:
    """Whether a text file holds no points, but labels of SUN RGB-D or ScanNet's remarks on a scan."""
    if path.suffix.lower() != '.txt':
        return False
    if path.with_name(f'{path.stem}{AGGREGATION}').is_file():
        return True
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        line = next((line for line in file if line.strip()), '')
    return is_sunrgbd(line.split())


def read_labels(files: list[Path], scans: list[Path], root: Path, left_out: LeftOut,
                angles: str | None = None) -> dict[Path, list[LabelledBox]]:
    """The boxes of each scan that has labels.

    Args:
        files: See :func:`find_labels`.
        scans: See :func:`find_scans`.
        root: The folder of the scans.
        left_out: Receives unreadable files, invalid boxes, labels without a scan and scans without labels.
        angles: See :func:`in_degrees`.

    Raises:
        UserError: See :func:`in_degrees`.
    """
    degrees = in_degrees([path for path in files if path.suffix.lower() == '.json'], angles)
    index = _index(scans, root)
    found: dict[Path, list[LabelledBox]] = {}
    sources: dict[Path, list[str]] = {}
    without: dict[Path, None] = {}
    for path in files:
        before = len(left_out)
        try:
            if path.suffix.lower() == '.json':
                entries = read_boxes(path, left_out, degrees)
            else:
                entries = (read_csv if path.suffix.lower() == '.csv' else read_sunrgbd)(path, left_out)
        except Exception as error:  # parsers raise whatever they like on damaged files
            left_out.add(path.name, reason(error))
            sources.update({scan: [] for scan in index.get(path.stem, ()) if scan not in sources})  # listed only once
            continue
        for names, boxes in entries:
            label = path.name if path.suffix.lower() != '.csv' else f'{path.name}, {names[0]}'
            try:
                scan = _scan_of(names, index)
            except UserError as error:
                left_out.add(label, reason(error))
                continue
            sources.setdefault(scan, []).append(path.name)
            if boxes or len(left_out) == before:  # a room may have no boxes
                found.setdefault(scan, []).extend(boxes)
            else:
                without[scan] = None
    for scan in without:
        if scan not in found:
            left_out.add(scan.name, 'none of its boxes could be used')
    for scan, names in sources.items():
        if len(set(names)) > 1:
            found.pop(scan, None)
            left_out.add(scan.name, f'several label files are for it: {", ".join(sorted(set(names)))}. Keep one')
    for scan in scans:
        if scan not in sources:
            left_out.add(scan.name, 'it has no labels')
    return found


def _index(scans: Iterable[Path], root: Path) -> dict[str, list[Path]]:
    """Scans by all names by which label files may refer to them."""
    index: dict[str, list[Path]] = {}
    for path in scans:
        inner = path.relative_to(root).as_posix() if path != root else path.name
        for name in {inner, path.name, path.stem, _MESH.sub('', path.stem), inner.removesuffix(path.suffix)}:
            index.setdefault(name, []).append(path)
    return index


def _scan_of(names: Iterable[str], index: dict[str, list[Path]]) -> Path:
    """The scan to which the first known name refers.

    Raises:
        UserError: If there is none, or if there are several.
    """
    several = None
    for name in names:
        plain = name.replace('\\', '/').removeprefix('./')
        base = plain.rpartition('/')[2]
        for key in (plain, base, base.rpartition('.')[0]):
            if len(index.get(key, ())) == 1:
                return index[key][0]
            several = several or index.get(key)
    if several:
        raise UserError(f'several scans have this name: {", ".join(str(path) for path in several[:3])}. Give the name '
                        'with its ending and folder')
    raise UserError(_NO_SCAN)
