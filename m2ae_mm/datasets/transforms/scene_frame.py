"""Scenes in metres with z up, whatever they were recorded in."""
import logging

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from m2ae_mm.samples import sample_name
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import BaseInstance3DBoxes
from mmdet3d.structures.points import BasePoints

from ..scene_geometry import TO_Z_UP, doubts, find_unit_scale, find_up_axis, to_metres_z_up

_MASKS = ('pts_instance_mask', 'pts_semantic_mask')
# As LoadPointsFromFile measures heights.
_FLOOR_PERCENTILE = 0.99
# Samples that a step looks at more closely; a step of a test is made for few.
_CHECKED = 3
# What this process, and those that it was forked from, have said already.
_said: set[str] = set()


@TRANSFORMS.register_module()
class M2AESceneFrame(BaseTransform):
    """Bring scenes and their boxes to metres and z up, and leave points out that are NaN or infinite.

    It belongs behind the steps that load and align. Boxes are taken to be in
    the frame of the points: centres, sides along the axes of the file, yaw
    about the up axis. Boxes found afterwards are in metres with z up, too.
    A scene that is no room in metres with z up, as far as its extent and its
    floor tell, is logged once.

    Args:
        unit_scale: Metres per unit of the files: 0.001 for millimetres.
        up_axis: Axis of the files that points up: ``x``, ``y``, ``z``, ``-x``, ``-y`` or ``-z``.
    """

    def __init__(self, unit_scale: float = 1., up_axis: str = 'z') -> None:
        if not unit_scale > 0:
            raise ValueError(f'unit_scale is metres per unit, more than 0 (0.001 for millimetres); got {unit_scale}.')
        if up_axis not in TO_Z_UP:
            raise ValueError(f'up_axis must be one of {", ".join(TO_Z_UP)}; got {up_axis!r}.')
        self.unit_scale = float(unit_scale)
        self.up_axis = up_axis
        self._checked = 0

    def transform(self, results: dict) -> dict:
        """Replace ``points`` and boxes, those for the evaluation too; masks of points lose what points lose.

        Raises:
            ValueError: If a scene has no finite points.
        """
        self._drop_non_finite(results)
        if self.unit_scale != 1 or self.up_axis != 'z':
            points = results['points']
            moved = to_metres_z_up(points.tensor[:, :3].double().numpy(), self.unit_scale, self.up_axis)
            points.tensor[:, :3] = torch.from_numpy(moved).float()
            for owner in (results, results.get('eval_ann_info') or {}):
                if isinstance(owner.get('gt_bboxes_3d'), BaseInstance3DBoxes):
                    owner['gt_bboxes_3d'] = self._boxes(owner['gt_bboxes_3d'])
            _measure_heights(points)
        if self._checked < _CHECKED:
            self._checked += 1
            self._check(results)
        return results

    def _boxes(self, boxes: BaseInstance3DBoxes) -> BaseInstance3DBoxes:
        sides = np.abs(TO_Z_UP[self.up_axis]).argmax(1).tolist()
        centers = to_metres_z_up(boxes.gravity_center.double().numpy(), self.unit_scale, self.up_axis)
        content = torch.cat([torch.from_numpy(centers).to(boxes.tensor), boxes.dims[:, sides] * self.unit_scale,
                             boxes.tensor[:, 6:]], 1)
        return type(boxes)(content, box_dim=boxes.box_dim, with_yaw=boxes.with_yaw, origin=(0.5, 0.5, 0.5))

    def _drop_non_finite(self, results: dict) -> None:
        points = results['points']
        finite = points.tensor[:, :3].isfinite().all(1)
        if finite.all():
            if not len(finite):
                raise ValueError(f'{sample_name(results)} has no points. Remove it from the data.')
            return
        lost = int((~finite).sum())
        if lost == len(finite):
            raise ValueError(f'{sample_name(results)}: all {lost} points hold NaN or infinite values. Remove it from '
                             'the data.')
        results['points'] = points[finite]
        _measure_heights(results['points'])
        for owner in (results, results.get('eval_ann_info') or {}):
            for name in _MASKS:
                if name in owner:
                    owner[name] = owner[name][finite.numpy()]
        say_once('finite', f'{sample_name(results)}: {lost} of {len(finite)} points hold NaN or infinite values and '
                 'are left out, as are all others like them.')

    def _check(self, results: dict) -> None:
        xyz = results['points'].tensor[:, :3].numpy()
        found = doubts(xyz)
        if found:
            likely = suggestions(found, xyz, self.unit_scale, self.up_axis)
            options = [f'{name}={value}' for name, value in likely.items()]
            say_once('frame', f'{sample_name(results)} does not look like a room in metres with z up: '
                     f'{"; ".join(found.values())}. {advice(found)}'
                     + (f' Options of M2AESceneFrame in the pipeline: {", ".join(options)}.' if options else ''))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(unit_scale={self.unit_scale}, up_axis={self.up_axis!r})'


def suggestions(found: dict[str, str], xyz: np.ndarray, unit_scale: float = 1., up_axis: str = 'z') -> dict[str, str]:
    """The options that correct what :func:`doubts` found in a scene ``(N, 3)``, with the likeliest values.

    ``unit_scale`` and ``up_axis`` are those that it has been brought here with.
    """
    recorded, options = xyz @ TO_Z_UP[up_axis] / unit_scale, {}
    if 'unit' in found:
        options['unit_scale'] = str(find_unit_scale(recorded) or 'METRES_PER_UNIT')
    if 'up' in found:
        options['up_axis'] = find_up_axis(recorded) or 'AXIS'
    return options


def advice(found: dict[str, str]) -> str:
    """What to do about :func:`doubts`, without the options."""
    if 'origin' in found:
        return 'Subtract an origin near it from points and boxes, in double precision, before they are saved.'
    return 'Models are made for such rooms, and their boxes for others are wrong.'


def say_once(kind: str, text: str) -> None:
    """Log a warning unless one of its kind was logged."""
    if kind not in _said:
        _said.add(kind)
        print_log(text, 'current', logging.WARNING)


def _measure_heights(points: BasePoints) -> None:
    """Measure heights above the floor again, for points that have them."""
    column = (points.attribute_dims or {}).get('height')
    if column is not None:
        z = points.tensor[:, 2]
        points.tensor[:, column] = z - float(np.percentile(z.numpy(), _FLOOR_PERCENTILE))
