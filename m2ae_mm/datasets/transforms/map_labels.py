"""From the values in semantic masks to labels."""
import numpy as np
from mmcv.transforms import BaseTransform

from m2ae_mm.errors import UserError
from m2ae_mm.samples import sample_name
from mmdet3d.registry import TRANSFORMS

_SHOWN = 3


@TRANSFORMS.register_module()
class M2AEMapLabels(BaseTransform):
    """mmdet3d's ``PointSegClassMapping`` that says what is wrong with a mask.

    It belongs behind ``LoadAnnotations3D``, of test data, too: there the labels
    for the evaluation are mapped.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``pts_semantic_mask`` (N,), that for the evaluation too.

        Raises:
            UserError: If there is none, it has not as many values as there are points, or a value without a meaning.
        """
        if 'pts_semantic_mask' not in results:
            raise UserError(f'{sample_name(results)} has no semantic mask to train or score on: LoadAnnotations3D with '
                            'with_seg_3d=True comes before M2AEMapLabels.')
        labels = mapped(results['pts_semantic_mask'], results['seg_label_mapping'], len(results['points']),
                        sample_name(results))
        results['pts_semantic_mask'] = labels
        if 'eval_ann_info' in results:
            results['eval_ann_info']['pts_semantic_mask'] = labels
        return results


def mapped(mask: np.ndarray, mapping: np.ndarray, points: int, name: str) -> np.ndarray:
    """Labels ``(N,)`` of the values of a mask.

    Args:
        mask: ``(N,)`` whole numbers.
        mapping: Label of each value from 0 on, below 0 for values without a meaning.
        points: Of the scene.
        name: Of the scene, for messages.

    Raises:
        UserError: See :class:`M2AEMapLabels`.
    """
    if mask.shape != (points, ):
        raise UserError(f'{name} has {points} points and a semantic mask of {mask.size} values, an int64 for each '
                        'point. Prepare this scene again.')
    mask = np.where(mask == 255, -1, mask)
    within = (mask >= -1) & (mask < len(mapping))
    # -1 is the last of the mapping, where nothing is annotated.
    labels = np.where(within, mapping[np.where(within, mask, -1)], -1)
    wrong = labels < 0
    if wrong.any():
        values, counts = np.unique(mask[wrong], return_counts=True)
        found = ', '.join(f'{value} ({count} points)' for value, count in zip(values[:_SHOWN], counts))
        known = ', '.join(map(str, np.flatnonzero(mapping >= 0)))
        raise UserError(f'the semantic mask of {name} has values that stand for nothing: {found}'
                        f'{", ..." if len(values) > _SHOWN else ""}. The data set knows {known}. Correct the mask, or '
                        'list all classes in metainfo.classes; points that are not annotated have 255 or -1.')
    return labels
