"""Base of all inferencers: it opens the model, reads the inputs, and collects those that give no result."""
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer
from mmengine.infer.infer import InferencerMeta
from mmengine.logging import print_log
from torch import Tensor, nn
from tqdm import tqdm

from m2ae_mm.checkpoint import shipped_names
from m2ae_mm.datasets.io.scans import SCAN_SUFFIXES, scan_files
from m2ae_mm.engine.recording import record_graphs
from m2ae_mm.errors import reason
from m2ae_mm.surroundings import find_config
from m2ae_mm.visualization.text import save

from .opening import config_of, is_checkpoint, open_model
from .results import Writer

Input = str | Path | np.ndarray | Tensor
# Left-out inputs that a message names.
_SHOWN = 20


class Item(NamedTuple):
    """One input.

    Attributes:
        name: For messages and results.
        stem: Of the files of results.
        value: A file, or an array ``(N, C)``.
    """
    name: str
    stem: str
    value: Path | np.ndarray


class Entry(NamedTuple):
    """One input, prepared for the model.

    Attributes:
        item: Where it comes from.
        packed: ``inputs`` and ``data_samples``, to be collated.
        source: What the results refer to; its type depends on the inferencer.
    """
    item: Item
    packed: dict
    source: Any


class M2AEInferencer(BaseInferencer, metaclass=InferencerMeta):
    """Gives results for files, folders and arrays.

    As in mmengine and mmdet3d, ``inferencer(inputs, batch_size=1, **options)``
    returns ``predictions``, one for each input, and ``visualization``;
    ``left_out`` lists the inputs without a result, each with the reason.

    Args:
        model: Name of weights that come with the package, a config (its
            file, its name ``m2ae_mm::...``, or a ``Config``), or a checkpoint;
            None takes :attr:`default`.
        weights: Checkpoint: a file, an address or a name; with it alone the config is taken from it.
        device: ``'cpu'``, ``'cuda:0'``, ...; None takes a GPU if there is one.
        show_progress: Show a progress bar.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If the weights are of another model or task.
    """

    # The command for the task, and the tasks of the shipped weights that it takes.
    command: str = ''
    tasks: tuple[str, ...] = ()
    default: str | None = None
    # Kinds of files that results can be written to.
    formats: tuple[str, ...] = ()
    suffixes: Sequence[str] = SCAN_SUFFIXES
    postprocess_kwargs = {'out_dir', 'write'}

    def __init__(self,
                 model: str | Path | Config | None = None,
                 weights: str | Path | None = None,
                 device: str | None = None,
                 show_progress: bool = True) -> None:
        model = str(model) if isinstance(model, Path) else model
        if model is None and weights is None:
            if self.default is None:
                raise ValueError(f'no weights for {" and ".join(self.tasks)} come with the package: give a checkpoint '
                                 'of a training of yours (--model CHECKPOINT, or --model CONFIG CHECKPOINT).')
            model = self.default
        if isinstance(model, str) and (is_checkpoint(model) or model in shipped_names()):
            if weights is not None:
                raise ValueError(f'{model!r} are weights, and so is {str(weights)!r}: give a config and weights, or '
                                 'weights alone.')
            model, weights = None, model
        self.title = str(weights)
        if device is not None:
            check_device(device)
        if model is None:
            model = config_of(weights)
        elif isinstance(model, str):
            if not model.endswith('.py'):
                raise FileNotFoundError(f'{model!r} is neither the name of weights that come with the package '
                                        f'({", ".join(shipped_names())}) nor a checkpoint (.pth, .pt, .safetensors) '
                                        'or a config (.py).')
            model = Config.fromfile(find_config(model))
        if weights is None:
            raise ValueError('a config alone has no weights: give its checkpoint, too (--model CONFIG CHECKPOINT).')
        super().__init__(model, str(weights), device, 'mmdet3d', show_progress)

    def accepts(self, model: nn.Module) -> bool:
        """Whether a model is made for this task."""
        raise NotImplementedError

    def read(self, item: Item, **options) -> Entry:
        """Read an input and prepare it for the model.

        Raises:
            ValueError: If it gives no result; the message says why.
        """
        raise NotImplementedError

    def result(self, entry: Entry, sample: Any) -> dict:
        """The result for an input, as arrays and plain values; ``name`` is that of the input."""
        raise NotImplementedError

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """Write the files of a result; pictures are written by the base."""
        raise NotImplementedError

    def __call__(self, inputs: Input | Sequence[Input], return_datasamples: bool = False, batch_size: int = 1,
                 **kwargs) -> dict:
        """Results for inputs.

        Args:
            inputs: A file, a folder, an array ``(N, C)``, several as ``(B, N, C)``, or a list of these.
            return_datasamples: Return the model's data samples instead of arrays.
            batch_size: Inputs a pass of the model.
            kwargs: ``out_dir`` and ``write``, a list of :attr:`formats`, for files; the other options are those of
                :meth:`read` and :meth:`visualize` of each inferencer.

        Returns:
            ``predictions``, ``visualization`` and ``left_out``.

        Raises:
            ValueError: If no input gives a result.
        """
        read, forward, visualize, post = self._dispatch_kwargs(**kwargs)
        items, left_out = self._items(inputs)
        writer = Writer(post.get('out_dir'), post.get('write') or (), self.formats)
        found: dict = dict(predictions=[], visualization=[], left_out=left_out)
        with tqdm(total=len(items), desc=self.command, disable=not self.show_progress, leave=False) as bar:
            for batch in self._batches(items, batch_size, left_out, bar, read):
                samples = self.forward(self.collate_fn([entry.packed for entry in batch]), **forward)
                results = [self.result(entry, sample) for entry, sample in zip(batch, samples)]
                found['visualization'] += self.visualize(batch, results, **visualize)
                for entry, result in zip(batch, results):
                    if path := writer.path('png', entry.item.stem):
                        save(self.picture(entry, result), path)
                    self.write(result, entry, writer)
                found['predictions'] += samples if return_datasamples else results
                bar.update(len(batch))
        if left_out:
            text = left_out_text(left_out)
            if not found['predictions']:
                raise ValueError(text)
            print_log(text, 'current', logging.WARNING)
        return found

    def _batches(self, items: Sequence[Item], size: int, left_out: list[tuple[str, str]], bar: tqdm,
                 options: dict) -> Iterator[list[Entry]]:
        """The inputs that can be read, ``size`` at a time."""
        batch: list[Entry] = []
        for item in items:
            try:
                batch.append(self.read(item, **options))
            except (ValueError, OSError) as error:
                left_out.append((item.name, str(error)))
                bar.update()
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def _items(self, inputs: Input | Sequence[Input]) -> tuple[list[Item], list[tuple[str, str]]]:
        """All inputs one by one, and those that cannot be read as one."""
        items: list[Item] = []
        left_out: list[tuple[str, str]] = []
        stems: dict[str, int] = {}

        def add(name: str, stem: str, value: Path | np.ndarray) -> None:
            number = stems.get(stem, 0)
            stems[stem] = number + 1
            items.append(Item(name, f'{stem}_{number}' if number else stem, value))

        for given in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
            if isinstance(given, (str, Path)):
                try:
                    files = scan_files(given, self.suffixes)
                except ValueError as error:
                    left_out.append((str(given), str(error)))
                    continue
                for file in files:
                    inside = file.relative_to(given) if file != Path(given) else Path(file.name)
                    add(str(file), '_'.join(inside.with_suffix('').parts), file)
            elif isinstance(given, (np.ndarray, Tensor)):
                values = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
                for each in values if values.ndim == 3 else [values]:
                    add(f'array {len(items)}', f'array_{len(items):05d}', each)
            else:
                raise TypeError(f'inputs are files, folders and arrays (N, 3), got {type(given).__name__}.')
        return items, left_out

    def visualize(self, inputs: list[Entry], preds: list[dict], return_vis: bool = False) -> list[np.ndarray]:
        """Pictures of the results, uint8, if ``return_vis``."""
        return [self.picture(entry, result) for entry, result in zip(inputs, preds)] if return_vis else []

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """A picture of a result, ``(H, W, 3)`` uint8."""
        raise NotImplementedError

    def postprocess(self, preds: Any, visualization: list[np.ndarray], return_datasample: bool = False) -> dict:
        """Required by mmengine; :meth:`__call__` collects the results batch by batch."""
        return dict(predictions=preds, visualization=visualization)

    def _init_model(self, cfg: Config, weights: str, device: str = 'cpu') -> nn.Module:
        model = open_model(cfg, weights)
        if not self.accepts(model):
            raise ValueError(f'{weights!r} is a {type(model).__name__}, which m2ae {self.command} cannot use'
                             f'{other_command(model)}.')
        model.to(torch.device(device))
        record_graphs(model)
        return model

    def _init_collate(self, cfg: Config) -> Callable:
        return pseudo_collate  # not the one of the config, which is for its data set

    def _init_visualizer(self, cfg: Config) -> None:
        return None  # pictures are drawn from the results

    def class_name(self, label: int) -> str:
        """The name of a class, or its number where names are not known."""
        names = self.model.dataset_meta['classes']
        return names[label] if 0 <= label < len(names) else f'class {label}'


def left_out_text(left_out: Sequence[tuple[str, str]]) -> str:
    """What was left out, one line each."""
    lines = [f'  {name}: {why}' for name, why in left_out[:_SHOWN]]
    if len(left_out) > _SHOWN:
        lines.append(f'  and {len(left_out) - _SHOWN} more')
    return '\n'.join([f'left out {len(left_out)} of the inputs:', *lines])


def check_device(device: str) -> None:
    """Refuse a device that is not there, before anything is loaded.

    Raises:
        ValueError: With what PyTorch says of it.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        why = reason(error).rstrip('.')
        raise ValueError(f"there is no device {device!r} ({why}). Give 'cpu', or 'cuda:0' where there is a GPU; `m2ae "
                         'info` lists what is there.') from error


def other_command(model: nn.Module) -> str:
    """The commands that take a model, in words."""
    from . import INFERENCERS
    fitting = [f'm2ae {kind.command}' for kind in INFERENCERS if kind.accepts(kind, model)]
    return f'; it is for {" or ".join(fitting)}' if fitting else ''
