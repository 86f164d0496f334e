"""Hooks and checks around training and testing."""
from .config_parts import TESTING, TRAINING, class_count, datasets_of
from .data_check import check_data
from .distributed import M2AEDistributedCPU, end_processes, init_cpu_processes, prepare_processes
from .hooks import (
    M2AECheckpointHook,
    M2AEFinitePredictionsHook,
    M2AEGalleryHook,
    M2AEGraphsHook,
    M2AEKeepingHook,
    M2AELinearProbeHook,
    M2AEMemoryHook,
    M2AEPictureHook,
    M2AEResumeHook,
    M2AERuntimeInfoHook,
    M2AEStartHook,
)
from .metric_check import main_figure
from .optimizer import M2AEBFloat16OptimWrapper, M2AEOptimWrapper, M2AEOptimWrapperConstructor
from .picture_threshold import picture_threshold
from .preparation import name_what_is_built, prepare
from .recording import record_graphs
from .runner import M2AERunner
from .sync_batch_norm import SyncBatchNormCPU
from .training import compile_forward, training_runner
from .tuning import set_tuning, what_learns

__all__ = [
    'M2AEBFloat16OptimWrapper', 'M2AECheckpointHook', 'M2AEDistributedCPU', 'M2AEFinitePredictionsHook',
    'M2AEGalleryHook', 'M2AEGraphsHook', 'M2AEKeepingHook', 'M2AELinearProbeHook', 'M2AEMemoryHook', 'M2AEOptimWrapper',
    'M2AEOptimWrapperConstructor', 'M2AEPictureHook', 'M2AEResumeHook', 'M2AERunner', 'M2AERuntimeInfoHook',
    'M2AEStartHook', 'SyncBatchNormCPU', 'TESTING', 'TRAINING', 'check_data', 'class_count', 'compile_forward',
    'datasets_of', 'end_processes', 'init_cpu_processes', 'main_figure', 'name_what_is_built', 'picture_threshold',
    'prepare', 'prepare_processes', 'record_graphs', 'set_tuning', 'training_runner', 'what_learns'
]
