"""mmdet3d's indoor AP, averaged over the classes that the ground truth holds and the data set names."""
import logging
from collections.abc import Sequence

import numpy as np
from mmengine.logging import print_log

from m2ae_mm.class_names import check_class_names
from mmdet3d.evaluation import IndoorMetric
from mmdet3d.registry import METRICS

from .finite import require_finite
from .metric_names import indoor_names


@METRICS.register_module()
class M2AEIndoorMetric(IndoorMetric):
    """``IndoorMetric`` whose mean exists even if a predicted class never occurs.

    Recall has no meaning for a class without ground truth, and ``IndoorMetric``
    returns NaN for such a class and with it for the mean. Here these
    classes are left out; all other numbers, the names and the table are the
    same. On the whole of ScanNet or SUN RGB-D the two agree; they differ on
    parts of them and on small data sets of one's own. Boxes of classes that the
    metainfo of the data set leaves out, which mmdet3d labels -1, take no part;
    ``IndoorMetric`` would count them as one more class.

    The options are those of ``IndoorMetric``.
    """

    metric_names = staticmethod(indoor_names)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """See ``IndoorMetric``; NaN or infinite boxes are an error."""
        require_finite(data_samples)
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list[tuple[dict, dict]]) -> dict[str, float]:
        """AP and recall per class, ``mAP_0.25`` and so on.

        Raises:
            ValueError: If no scene has ground truth, one has a label beyond the classes, or these are no list.
        """
        classes = check_class_names(self.dataset_meta['classes'], 'metainfo.classes of the data set')
        results = [(_named(truth, len(classes)), found) for truth, found in results]
        present = np.unique(np.concatenate([truth['gt_labels_3d'] for truth, _ in results]))
        if len(present) == 0:
            raise ValueError(f'none of the {len(results)} scenes has a ground-truth box, so there is no AP; check '
                             'the annotation file and the class names (metainfo) of the data set.')
        absent = [name for label, name in enumerate(classes) if label not in present]
        if absent:
            print_log(f'{len(absent)} classes without ground truth are left out of the mean: {", ".join(absent)}',
                      logger='current', level=logging.WARNING)
        return super().compute_metrics([(truth, _keep_classes(found, present)) for truth, found in results])


def _named(truth: dict, num_classes: int) -> dict:
    """Ground truth of one scene without boxes of classes that have no name."""
    labels = np.asarray(truth['gt_labels_3d'])
    if labels.max(initial=-1) >= num_classes:
        raise ValueError(f'a ground-truth box has the label {labels.max()}, the data set names {num_classes} classes; '
                         'check its annotation file and its class names (metainfo).')
    kept = labels >= 0
    return {**truth, 'gt_bboxes_3d': truth['gt_bboxes_3d'][kept], 'gt_labels_3d': labels[kept]}


def _keep_classes(predictions: dict, labels: np.ndarray) -> dict:
    """Predictions of one scene for the given classes only."""
    kept = np.isin(predictions['labels_3d'].numpy(), labels)
    return {name: predictions[name][kept] for name in ('bboxes_3d', 'scores_3d', 'labels_3d')}
