"""Reading, converting and resuming checkpoints."""
from .loading import load_for_test, load_matching, load_pretrained_init, read_checkpoint
from .safe_globals import allow_mmengine_checkpoints

__all__ = [
    'allow_mmengine_checkpoints', 'load_for_test', 'load_matching', 'load_pretrained_init', 'read_checkpoint'
]
