"""Versions, devices, the operators in use, what is missing and how to get it."""
import argparse
import importlib
import platform
import sys
from importlib import metadata

# What some commands need beyond the requirements: the package, what for, and how to get it.
OPTIONAL = {
    'h5py': ('ModelNet40 and ScanObjectNN as HDF5 files', 'pip install h5py'),
    'laspy': ('scans as .las and .laz', "pip install 'laspy[lazrs]'"),
    'seaborn': ("mmdet3d's analyze_logs.py", 'pip install seaborn'),
}
_LIBRARIES = ('torch', 'mmengine', 'mmdet', 'mmdet3d', 'numpy')


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    return argparse.ArgumentParser(description=__doc__).parse_args(arguments)


def rows() -> dict[str, list[str]]:
    """What is printed: a title and its lines."""
    import m2ae_mm
    from m2ae_mm.checkpoint import describe, shipped_names
    return {
        'm2ae_mm': [f'{m2ae_mm.__version__} in {m2ae_mm.surroundings.MIM.parent}',
                    f'Python {platform.python_version()} on {platform.platform()}'],
        'libraries': [f'{name} {version_of(name)}' for name in _LIBRARIES],
        'mmcv': mmcv_lines(),
        'devices': device_lines(),
        'operators': operator_lines(),
        'Open3D': [open3d_line()],
        'optional': [f'{name} {version_of(name)}' if version_of(name) else
                     f'{name} is missing, needed for {purpose}: {get}' for name, (purpose, get) in OPTIONAL.items()],
        'weights': [f'{name}: {describe(name)["task"]}' for name in shipped_names()],
    }


def version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def mmcv_lines() -> list[str]:
    """Which mmcv, and whose operators mmdet3d gets."""
    from m2ae_mm import mmcv_ops
    if mmcv_ops.install():
        return [f'mmcv {version_of("mmcv")}, compiled: its operators, and those of m2ae_mm for CPU tensors']
    started = any(getattr(finder, '__module__', '') == 'm2ae_mm_start' for finder in sys.meta_path)
    return [f'mmcv-lite {version_of("mmcv-lite")}: operators of m2ae_mm',
            'mmdet3d can be imported on its own' if started else
            'mmdet3d can only be imported after m2ae_mm: install the package (pip install), which adds m2ae_mm.pth']


def device_lines() -> list[str]:
    import torch
    threads = torch.get_num_threads()
    lines = [f'CPU: {threads} thread{"s" * (threads > 1)}']
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        lines.append(f'cuda:{index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB')
    if not torch.cuda.is_available():
        why = 'this PyTorch is built without CUDA' if torch.version.cuda is None else 'PyTorch sees no GPU'
        lines.append(f'no CUDA: {why}')
    return lines


def operator_lines() -> list[str]:
    """Which implementation serves tensors on each device, and why if it is not the fast one."""
    import torch

    from m2ae_mm.ops import dispatch
    lines = []
    devices = [('cpu', 'numba')] + [('cuda', 'triton')] * torch.cuda.is_available()
    for device, package in devices:
        if dispatch.kernels_of(device) is not None:
            lines.append(f'{device}: kernels in {package} {version_of(package)}')
        elif dispatch.reference_only():
            lines.append(f'{device}: PyTorch reference, as M2AE_OPS=reference asks for')
        else:
            lines.append(f'{device}: PyTorch reference, slower; {package} is missing: pip install {package}')
    return lines


def open3d_line() -> str:
    from m2ae_mm.visualization.visualizer import can_open
    try:
        importlib.import_module('open3d')
    except ImportError as error:
        return f'not loaded ({error}): pictures are drawn without it, windows are not opened'
    return f'{version_of("open3d")}' + ('' if can_open() else ', no screen: pictures are written instead of windows')


def main(args: argparse.Namespace) -> None:
    for title, lines in rows().items():
        for line in lines:
            print(f'{title:<11}{line}')
            title = ''
