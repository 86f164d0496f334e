"""Reading, converting and resuming checkpoints."""
from .loading import load_matching, load_pretrained_init, read_checkpoint

__all__ = ['load_matching', 'load_pretrained_init', 'read_checkpoint']
