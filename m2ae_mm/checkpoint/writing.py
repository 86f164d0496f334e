"""Writing checkpoints of weights alone."""
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor


def write_checkpoint(tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Write tensors so that :func:`read_checkpoint` and mmengine read them.

    The file appears only when it is complete.

    Args:
        tensors: By name.
        path: ``.safetensors`` or ``.pth`` file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.part')
    if path.suffix == '.safetensors':
        from safetensors.torch import save
        # Not save_file, whose files only their owner can read.
        partial.write_bytes(save({name: value.contiguous() for name, value in tensors.items()}))
    else:
        torch.save(dict(state_dict=OrderedDict(tensors), meta={}), partial)
    partial.replace(path)
