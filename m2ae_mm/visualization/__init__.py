"""Pictures of detections and reconstructions without a screen."""
from .charts import feature_map, learning_curves
from .figures import detection_figure, detection_image, reconstruction_figure
from .visualizer import M2AELocalVisualizer

__all__ = [
    'M2AELocalVisualizer', 'detection_figure', 'detection_image', 'feature_map', 'learning_curves',
    'reconstruction_figure'
]
