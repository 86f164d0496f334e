"""Reading, converting and resuming checkpoints."""
from .loading import load_for_test, load_matching, load_pretrained_init, read_checkpoint, write_checkpoint
from .published import convert_published
from .safe_globals import allow_mmengine_checkpoints
from .shipped import describe, resolve, shipped_names, start_from
from .start_check import check_start

__all__ = [
    'allow_mmengine_checkpoints', 'check_start', 'convert_published', 'describe', 'load_for_test', 'load_matching',
    'load_pretrained_init', 'read_checkpoint', 'resolve', 'shipped_names', 'start_from', 'write_checkpoint'
]
