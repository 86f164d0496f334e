"""Pictures of detections and reconstructions without a screen."""
from .charts import feature_map, folds_chart, learning_curves
from .figures import (
    class_figure,
    detection_figure,
    detection_image,
    judged_figure,
    parts_figure,
    reconstruction_figure,
    reconstructions_figure,
)
from .gallery import write_gallery
from .labels import labels_figure
from .neighbours import write_neighbours
from .visualizer import M2AELocalVisualizer

__all__ = [
    'M2AELocalVisualizer', 'class_figure', 'detection_figure', 'detection_image', 'feature_map', 'folds_chart',
    'judged_figure', 'labels_figure', 'learning_curves', 'parts_figure', 'reconstruction_figure',
    'reconstructions_figure', 'write_gallery', 'write_neighbours'
]
