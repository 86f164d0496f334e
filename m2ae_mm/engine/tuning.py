"""Which parts of a model learn: one option for several entries of a config."""
from collections.abc import Mapping

from mmengine.config import Config
from mmengine.model import is_model_wrapper
from torch import nn

from m2ae_mm.errors import UserError
from mmdet3d.registry import MODELS

from .config_parts import class_of, option_of

MODES = ('full', 'decoder', 'linear', 'lora')
_HEADS = ('head', 'decode_head', 'bbox_head')


def set_tuning(config: Config, mode: str) -> None:
    """Set which parts of a model a config trains.

    ============ ==================== ==========================================
    mode         encoder              the rest
    ============ ==================== ==========================================
    ``full``     learns               learns
    ``decoder``  frozen               learns
    ``linear``   frozen               one linear layer; a neck only interpolates
    ``lora``     low-rank matrices    learns
    ============ ==================== ==========================================

    Options of LoRA that the config has are kept in the mode ``lora``.

    Args:
        config: With one of our encoders as ``model.backbone``, changed in place.
        mode: One of :data:`MODES`.

    Raises:
        UserError: For an unknown mode, or a part of the model that does not support it.
    """
    if mode not in MODES:
        raise UserError(f'tuning is one of {", ".join(MODES)}; got {mode!r}.')
    backbone = config.model.get('backbone') or {}
    if not _takes(backbone, 'frozen'):
        raise UserError(f'tuning={mode} needs PointM2AEEncoder or ThreeDETREncoder as model.backbone, this config has '
                        f'{backbone.get("type")}.')
    backbone.frozen = mode in ('decoder', 'linear')
    backbone.lora = (backbone.get('lora') or dict()) if mode == 'lora' else None
    name = next((name for name in _HEADS if isinstance(config.model.get(name), Mapping)), None)
    head = config.model[name] if name else {}
    if _takes(head, 'linear'):
        head.linear = mode == 'linear'
    elif mode == 'linear':
        raise UserError(f'tuning=linear: {head.get("type", "this model")} has no form of one linear layer. Choose '
                        'decoder, or a head with the option linear: PointM2AEClsHead, PointM2AEPartHead, M2AESegHead, '
                        'ThreeDETRHead.')
    _set_neck(config.model, head, mode)


def _takes(part: Mapping, option: str) -> bool:
    return option_of(class_of(MODELS, part), option) is not None


def _set_neck(model: Mapping, head: Mapping, mode: str) -> None:
    neck = model.get('neck')
    if not neck or not _takes(neck, 'learned'):
        if neck and mode == 'linear':
            raise UserError(f'tuning=linear: the neck {neck.get("type")} learns more than one linear layer. Choose '
                            'decoder, or PointM2AEPropagation as model.neck.')
        return
    neck.learned = mode != 'linear'
    if 'in_channels' not in head:
        return
    head.in_channels = sum(neck.encoder_dims[-1 - len(neck.out_channels):]) if mode == 'linear' else (
        neck.out_channels[-1])


def what_learns(model: nn.Module) -> str | None:
    """A line on how many weights learn; None if all do."""
    model = model.module if is_model_wrapper(model) else model
    sizes = [(each.numel(), each.requires_grad) for each in model.parameters()]
    every, some = sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)
    if some == every:
        return None
    return f'{some:,} of {every:,} weights learn ({some / every:.1%}), the others stay as they are.'
