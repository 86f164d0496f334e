"""Hooks and checks around training and testing."""
from . import hooks
from .config_parts import TESTING, TRAINING, class_count, datasets_of
from .data_check import check_data
from .distributed import M2AEDistributedCPU, end_processes, prepare_processes
from .metric_check import main_figure
from .optimizer import M2AEBFloat16OptimWrapper, M2AEOptimWrapper, M2AEOptimWrapperConstructor
from .picture_threshold import picture_threshold
from .preparation import name_what_is_built, prepare
from .recording import record_graphs
from .runner import M2AERunner
from .sync_batch_norm import SyncBatchNormCPU
from .training import training_runner
from .tuning import set_tuning, what_learns

__all__ = [
    'M2AEBFloat16OptimWrapper', 'M2AEDistributedCPU', 'M2AEOptimWrapper', 'M2AEOptimWrapperConstructor', 'M2AERunner',
    'SyncBatchNormCPU', 'TESTING', 'TRAINING', 'check_data', 'class_count', 'datasets_of', 'end_processes', 'hooks',
    'main_figure', 'name_what_is_built', 'picture_threshold', 'prepare', 'prepare_processes', 'record_graphs',
    'set_tuning', 'training_runner', 'what_learns'
]
