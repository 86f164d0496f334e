"""Hooks and checks around training and testing."""
from .data_check import check_data
from .distributed import init_cpu_processes

__all__ = ['check_data', 'init_cpu_processes']
