"""Classes of shapes."""
from typing import Any

import numpy as np
from torch import nn

from m2ae_mm.models.classifiers import point_m2ae_classifier
from m2ae_mm.visualization.figures import class_image
from m2ae_mm.visualization.text import save

from .base import Entry
from .results import Writer, plain
from .shapes import ShapeInferencer, host


class M2AEClassifyInferencer(ShapeInferencer):
    """The class of each shape.

    Options of a call: ``up``, the axis that points up in the files; ``return_vis``, ``out_dir`` and ``write``.

    Each prediction holds ``name``, ``label``, ``class_name``, ``score`` and ``scores`` ``(classes,)``.

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'classify'
    tasks = ('classification', )
    formats = ('json', 'png')

    def accepts(self, model: nn.Module) -> bool:
        """Classifiers."""
        return isinstance(model, point_m2ae_classifier.PointM2AEClassifier)

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class."""
        scores = host(sample.pred_score).astype(np.float64)
        label = int(scores.argmax())
        return dict(name=entry.item.name, label=label, class_name=self.class_name(label), score=float(scores[label]),
                    scores=scores)

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """The scores of all classes as JSON, a picture."""
        named = {self.class_name(i): score for i, score in enumerate(result['scores'])}
        writer.json(entry.item.stem, plain(dict(shape=result['name'], model=self.title, label=result['class_name'],
                                                score=result['score'], scores=named)))
        if path := writer.path('png', entry.item.stem):
            save(self.picture(entry, result), path)

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """The shape under its class."""
        return class_image(entry.source.points, f'{result["class_name"]} ({100 * result["score"]:.0f} %)')
