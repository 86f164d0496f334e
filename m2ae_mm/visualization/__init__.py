"""Pictures of detections and reconstructions without a screen."""
from .figures import detection_figure, detection_image, reconstruction_figure
from .visualizer import M2AELocalVisualizer

__all__ = ['M2AELocalVisualizer', 'detection_figure', 'detection_image', 'reconstruction_figure']
