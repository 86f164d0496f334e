"""Warns of scenes that cannot be what they are taken for: whole scans, and rooms in metres with z up."""
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import ConfigDict
from mmengine.logging import print_log

from m2ae_mm.datasets.rooms.writer import SETTINGS as COMPOSED
from m2ae_mm.datasets.scene_geometry import doubts, to_metres_z_up
from m2ae_mm.datasets.transforms.scene_frame import M2AESceneFrame, advice, say_once, suggestions
from mmdet3d.datasets import ScanNetDataset
from mmdet3d.registry import DATASETS, TRANSFORMS

from .config_parts import class_of, step_name

_FLOAT_BYTES = 4
# Scenes of a data set that are looked at; most of them have to be strange for a warning.
_LOOKED_AT = 5
# Multiples of this: numbers of points that no scan has by chance.
_ROUND = 1000


class Scenes(NamedTuple):
    """The scenes of one data set.

    Attributes:
        place: Of the data set in the config.
        dataset: Its config.
        step: The one of its pipeline that loads the points.
        files: Files of points, each with what the annotations say of it.
    """
    place: str
    dataset: ConfigDict
    step: ConfigDict
    files: list[tuple[Path, dict]]

    @property
    def values(self) -> int:
        """Numbers a point has in the files."""
        return self.step.get('load_dim', 6)

    @property
    def point_bytes(self) -> int:
        """Bytes a point has in the files."""
        return _FLOAT_BYTES * self.values


def warn_of_caps(checked: Sequence[Scenes]) -> None:
    """Warn of scans that were capped when prepared: all of a data set have the same round number of points."""
    capped = []
    for scenes in checked:
        sizes = {file.stat().st_size // scenes.point_bytes for file, _ in scenes.files}
        composed = (Path(scenes.dataset.get('data_root') or '') / COMPOSED).is_file()
        # SUN RGB-D's single views are drawn to 50,000 points each everywhere.
        scans = issubclass(class_of(DATASETS, scenes.dataset) or object, ScanNetDataset)
        if scans and len(scenes.files) > 1 and len(sizes) == 1 and not composed:
            size = sizes.pop()
            capped += [f'{scenes.place} ({size:,})'] if size % _ROUND == 0 else []
    if capped:
        print_log(f'all scans of {", ".join(capped)} have the same round number of points, so they were capped when '
                  'they were prepared. Training draws its own points anew each time; a published detector ended 7 '
                  'points of AP25 lower from scans capped at 50,000. Prepare them whole: tools/create_data.py scannet '
                  "without --max-points, or mmdet3d's batch_load_scannet_data.py without --max_num_point.", 'current',
                  logging.WARNING)


def warn_of_frames(checked: Sequence[Scenes]) -> None:
    """Warn once, with the options that help, of scenes that are no rooms in metres with z up: see :func:`doubts`."""
    seen, options, missing, found = [], [], [], {}
    for scenes in checked:
        strange, likely = _strange(scenes) if scenes.step.get('coord_type') == 'DEPTH' else ({}, {})  # indoors
        if not strange:
            continue
        found.update(strange)
        seen.append(f'  {scenes.place}: {"; ".join(strange.values())}')
        frame = _frame(scenes.dataset)
        if frame is None and likely:
            given = ', '.join(f'{name}={value!r}' if name == 'up_axis' else f'{name}={value}'
                              for name, value in likely.items())
            missing.append(f"dict(type='M2AESceneFrame', {given}) behind the steps of {scenes.place}.pipeline that "
                           'load and align')
        elif frame is not None:
            options += [f'{scenes.place}.pipeline.{frame}.{name}={value}' for name, value in likely.items()]
    if not seen:
        return
    text = '\n'.join(['scenes do not look like rooms in metres with z up:', *seen, advice(found)])
    if options:
        text += f' Points and boxes are corrected by --cfg-options {" ".join(options)}'
    if missing:
        text += f' Points and boxes are corrected by a step: {"; ".join(missing)}.'
    say_once('frame', text)


def _strange(scenes: Scenes) -> tuple[dict[str, str], dict[str, str]]:
    """What is unlike a room in metres with z up in most of a few scenes, and the options that probably help."""
    every = max(1, len(scenes.files) // _LOOKED_AT)
    looked = scenes.files[::every][:_LOOKED_AT]
    clouds = [_load(scenes, file, entry) for file, entry in looked]
    found = [doubts(xyz) for xyz in clouds]
    strange, likely = {}, {}
    for kind in ('unit', 'up', 'origin'):
        having = [i for i, each in enumerate(found) if kind in each]
        if 2 * len(having) > len(looked):
            first = having[0]
            strange[kind] = f'{looked[first][0].name}: {found[first][kind]}'
            step = _frame_step(scenes.dataset)
            likely.update(suggestions({kind: found[first][kind]}, clouds[first], step.unit_scale, step.up_axis))
    return strange, likely


def _load(scenes: Scenes, file: Path, entry: dict) -> np.ndarray:
    """The finite points ``(N, 3)`` of a scene after the steps of the pipeline that load, align and correct."""
    used = scenes.step.get('use_dim', [0, 1, 2])
    columns = list(range(used) if isinstance(used, int) else used)[:3]
    xyz = np.fromfile(file, '<f4').reshape(-1, scenes.values)[:, columns]
    aligned = 'GlobalAlignment' in map(step_name, scenes.dataset.pipeline)
    if aligned and entry.get('axis_align_matrix') is not None:
        matrix = np.asarray(entry['axis_align_matrix'], np.float64)
        xyz = (xyz @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    step = _frame_step(scenes.dataset)
    xyz = to_metres_z_up(xyz, step.unit_scale, step.up_axis).astype(np.float32)
    return xyz[np.isfinite(xyz).all(1)]


def _frame(dataset: ConfigDict) -> int | None:
    """Where in the pipeline scenes are brought to metres and z up."""
    names = [step_name(step) for step in dataset.pipeline]
    return names.index(M2AESceneFrame.__name__) if M2AESceneFrame.__name__ in names else None


def _frame_step(dataset: ConfigDict) -> M2AESceneFrame:
    """The step there, or one that changes nothing."""
    frame = _frame(dataset)
    return M2AESceneFrame() if frame is None else TRANSFORMS.build(dict(dataset.pipeline[frame]))
