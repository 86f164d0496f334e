"""A training that starts from weights for other classes."""
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from m2ae_mm.checkpoint.trained_with import trained_classes
from m2ae_mm.models.heads.box_set_head import BoxSetHead
from mmdet3d.registry import HOOKS


@HOOKS.register_module()
class M2AEStartHook(Hook):
    """Takes the weights to start from as far as they fit, and the outputs of classes by their names.

    Where the head has an output for each class, a class that the weights were
    trained with keeps its own, whatever its label; the others start anew. For
    ``load_from``, as :func:`training_runner` does it.
    """

    priority = 'LOWEST'  # after averages have taken the place of the weights

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Make the weights a whole state of the model; :func:`check_start` has told what does not fit."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        own, stored = model.state_dict(), checkpoint['state_dict']
        whole = {name: stored[name] if name in stored and stored[name].shape == value.shape else value
                 for name, value in own.items()}
        path = Path(runner._load_from)
        known = trained_classes(checkpoint, path)
        classes = tuple((getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}).get('classes') or ())
        rows = _class_rows(model)
        if rows and known and classes and known != classes:
            shared = [name for name in classes if name in known]
            for name in rows & stored.keys():
                if len(stored[name]) == len(known) and len(own[name]) == len(classes):
                    whole[name] = _by_name(own[name], stored[name], classes, known)
            new = [name for name in classes if name not in known]
            runner.logger.info(f'classes known to {path.stem}, which keep their outputs: '
                               f'{", ".join(shared) or "none"}; classes that start anew: {", ".join(new) or "none"}')
        checkpoint['state_dict'] = whole


def _class_rows(model: torch.nn.Module) -> set[str]:
    """Names of the tensors whose rows are outputs for classes."""
    head = getattr(model, 'bbox_head', None)
    layers = head.class_layers() if isinstance(head, BoxSetHead) else []
    return {f'{name}.{part}' for name, module in model.named_modules() if any(module is layer for layer in layers)
            for part, _ in module.named_parameters(recurse=False)}


def _by_name(own: torch.Tensor, stored: torch.Tensor, classes: tuple[str, ...],
             known: tuple[str, ...]) -> torch.Tensor:
    result = own.detach().clone()
    for label, name in enumerate(classes):
        if name in known:
            result[label] = stored[known.index(name)].to(result)
    return result
