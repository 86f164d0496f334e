"""Reading, converting and resuming checkpoints."""
from .for_mmengine import allow_mmengine_checkpoints, take_over
from .loading import load_for_test, load_matching, load_pretrained_init
from .low_rank import is_low_rank, merge_checkpoint
from .places import resolve
from .published import convert_published
from .reading import read_checkpoint, read_content
from .shipped import describe, shipped_names, start_from
from .start_check import check_start
from .writing import write_checkpoint

__all__ = [
    'allow_mmengine_checkpoints', 'check_start', 'convert_published', 'describe', 'is_low_rank', 'load_for_test',
    'load_matching', 'load_pretrained_init', 'merge_checkpoint', 'read_checkpoint', 'read_content', 'resolve',
    'shipped_names', 'start_from', 'take_over', 'write_checkpoint'
]
