"""Pictures of clouds, boxes, labels and reconstructions, drawn without a screen."""
from .charts import feature_map, folds_chart, learning_curves
from .figures import class_figure, detection_figure, detection_image, reconstructions_figure
from .gallery import write_gallery
from .neighbours import write_neighbours
from .visualizer import M2AELocalVisualizer

__all__ = [
    'M2AELocalVisualizer', 'class_figure', 'detection_figure', 'detection_image', 'feature_map', 'folds_chart',
    'learning_curves', 'reconstructions_figure', 'write_gallery', 'write_neighbours'
]
