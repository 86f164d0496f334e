"""Whether Open3D can open a window."""
import functools
import os

from mmdet3d.visualization import local_visualizer


@functools.cache
def can_open() -> bool:
    """Whether Open3D is there and can open a window; tried once, where mmdet3d would try it."""
    if local_visualizer.o3d is None or not os.environ.get('DISPLAY'):
        return False
    window = local_visualizer.o3d.visualization.Visualizer()
    opened = window.create_window(visible=False)
    if opened:
        window.destroy_window()
    return opened
