"""Hooks and checks around training and testing."""
from .building import name_what_is_built
from .compilation import compile_forward
from .data_check import check_data, class_count, datasets_of
from .distributed import M2AEDistributedCPU, end_processes, init_cpu_processes, prepare_processes
from .hooks import (
    M2AECheckpointHook,
    M2AEFinitePredictionsHook,
    M2AEGalleryHook,
    M2AEGraphsHook,
    M2AEKeepingHook,
    M2AELinearProbeHook,
    M2AEPictureHook,
    M2AEResumeHook,
    M2AERuntimeInfoHook,
    M2AEStartHook,
)
from .loaders import prepare_loaders
from .optimizer import M2AEBFloat16OptimWrapper, M2AEOptimWrapper, M2AEOptimWrapperConstructor
from .option_check import check_options
from .own_data import leaves_to_data, take_from_checkpoint, take_from_data
from .picture_threshold import picture_threshold
from .recording import record_graphs
from .runner import M2AERunner
from .sync_batch_norm import SyncBatchNormCPU
from .training import training_runner
from .tuning import set_tuning, what_learns

__all__ = [
    'M2AEBFloat16OptimWrapper', 'M2AECheckpointHook', 'M2AEDistributedCPU', 'M2AEFinitePredictionsHook',
    'M2AEGalleryHook', 'M2AEGraphsHook', 'M2AEKeepingHook', 'M2AELinearProbeHook', 'M2AEOptimWrapper',
    'M2AEOptimWrapperConstructor', 'M2AEPictureHook', 'M2AEResumeHook', 'M2AERunner', 'M2AERuntimeInfoHook',
    'M2AEStartHook', 'SyncBatchNormCPU', 'check_data', 'check_options', 'class_count', 'compile_forward',
    'datasets_of', 'end_processes', 'init_cpu_processes', 'leaves_to_data', 'name_what_is_built', 'picture_threshold',
    'prepare_loaders', 'prepare_processes', 'record_graphs', 'set_tuning', 'take_from_checkpoint', 'take_from_data',
    'training_runner', 'what_learns'
]
