"""Pictures of detections and reconstructions without a screen."""
from .charts import feature_map, learning_curves
from .figures import class_figure, detection_figure, detection_image, parts_figure, reconstruction_figure
from .visualizer import M2AELocalVisualizer

__all__ = [
    'M2AELocalVisualizer', 'class_figure', 'detection_figure', 'detection_image', 'feature_map', 'learning_curves',
    'parts_figure', 'reconstruction_figure'
]
