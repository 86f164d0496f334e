"""Hooks and checks around training and testing."""
from .data_check import check_data
from .distributed import init_cpu_processes
from .hooks import M2AELinearProbeHook, M2AEPictureHook

__all__ = ['M2AELinearProbeHook', 'M2AEPictureHook', 'check_data', 'init_cpu_processes']
