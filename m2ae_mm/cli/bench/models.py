"""Steps of whole models, ours from their configs and the plain baseline of the same sizes."""
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...surroundings import find_config
from .inputs import FILE_POINTS, composed_rooms, room_clouds, room_targets, shape_clouds
from .work import Setting, Work

PRETRAIN, CLASSIFY, DETECT = (
    f'm2ae_mm::{name}.py' for name in ('m2ae/shapenet_pretrain', 'm2ae/modelnet40_cls', '3detr/3detr-m_scannet'))
PRETRAIN_POINTS, PROBE_POINTS, CLASSIFY_POINTS, SCENE_POINTS = 2048, 1024, 1024, 40000


def read_config(name: str, changes: dict[str, Any] | None = None):
    """A config of the package, with changes such as ``{'model.mask_ratio': 0.6}``."""
    from mmengine.config import Config
    config = Config.fromfile(find_config(name))
    config.merge_from_dict(changes or {})
    return config


def build(config, seed: int, device: str) -> nn.Module:
    """The config's model with its initial weights."""
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    from mmdet3d.registry import MODELS
    init_default_scope('mmdet3d')
    MMLogger.get_instance('m2ae').setLevel('WARNING')  # without the list of initial weights
    torch.manual_seed(seed)
    model = MODELS.build(config.model)
    model.init_weights()
    return model.to(device)


def _recorded(config, setting: Setting) -> nn.Module:
    """The config's model, whose steps go through CUDA graphs as in a training."""
    from m2ae_mm.engine import record_graphs
    model = build(config, setting.seed, setting.device)
    record_graphs(model)
    return model


def autocast(setting: Setting) -> contextlib.AbstractContextManager:
    """Automatic mixed precision if asked for."""
    return torch.autocast(setting.device, torch.bfloat16, enabled=setting.precision == 'bf16')


def inference(call: Callable[[], Any], module: nn.Module, inputs: Sequence[Tensor], setting: Setting) -> Work:
    """A call in evaluation mode."""
    def predict() -> Any:
        with torch.no_grad(), autocast(setting):
            return call()

    module.eval()
    return Work(predict, setting.batch, inputs=inputs, module=module)


def training(config, model: nn.Module, data: Callable[[], dict], inputs: Sequence[Tensor], setting: Setting) -> Work:
    """Augmentation, forward, backward and the config's optimiser; ``data`` makes the model's arguments."""
    from mmengine.optim import build_optim_wrapper
    wrapper = build_optim_wrapper(model.train(), config.optim_wrapper)

    def step() -> Tensor:
        with autocast(setting):
            loss, _ = model.parse_losses(model(**data(), mode='loss'))
        wrapper.update_params(loss)
        return loss

    return Work(step, setting.batch, inputs=inputs, module=model, trains=True)


def _plain_training(model: nn.Module, points: Tensor, others: Sequence[Tensor], setting: Setting,
                    clip: float | None = None) -> Work:
    """As :func:`training`; ``others`` are arguments of the model besides the points."""
    model.to(setting.device).train()
    vectors = [weight for weight in model.parameters() if weight.dim() == 1]
    others_to_decay = [weight for weight in model.parameters() if weight.dim() > 1]
    optimizer = torch.optim.AdamW([dict(params=vectors, weight_decay=0.), dict(params=others_to_decay)], lr=1e-3,
                                  weight_decay=0.05)

    def step() -> Tensor:
        random = torch.rand(2, len(points), 1, 3, device=points.device)
        augmented = points * (2 / 3 + 5 / 6 * random[0]) + 0.2 * (2 * random[1] - 1)
        with autocast(setting):
            loss = model(augmented, *others)
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return loss

    return Work(step, setting.batch, inputs=[points, *others], module=model, trains=True)


def pretrain(setting: Setting) -> Work:
    """A step of pre-training."""
    config = read_config(PRETRAIN)
    model = _recorded(config, setting)
    points = _loaded(shape_clouds(setting.batch, PRETRAIN_POINTS, setting.seed), setting)
    collated = dict(inputs=dict(points=points), data_samples=None)
    return training(config, model, lambda: model.data_preprocessor(collated, training=True), [points], setting)


def pretrain_plain(setting: Setting) -> Work:
    """The same by the baseline."""
    from .plain_tasks import PlainPointM2AE
    torch.manual_seed(setting.seed)
    model = PlainPointM2AE(read_config(PRETRAIN).model)
    points = shape_clouds(setting.batch, PRETRAIN_POINTS, setting.seed).to(setting.device)
    return _plain_training(model, points, [], setting)


def features(setting: Setting) -> Work:
    """Frozen features for the linear SVM."""
    model = _recorded(read_config(PRETRAIN), setting)
    model.neck = model.head = nn.Identity()  # the encoder does it alone
    points = shape_clouds(setting.batch, PROBE_POINTS, setting.seed).to(setting.device)
    return inference(lambda: model(dict(points=points), mode='tensor'), model, [points], setting)


def features_plain(setting: Setting) -> Work:
    """The same by the baseline."""
    from .plain_tasks import PlainFeatures
    torch.manual_seed(setting.seed)
    model = PlainFeatures(read_config(PRETRAIN).model).to(setting.device)
    points = shape_clouds(setting.batch, PROBE_POINTS, setting.seed).to(setting.device)
    return inference(lambda: model(points), model, [points], setting)


def classify(from_files: bool, setting: Setting) -> Work:
    """A step of classification; ``from_files`` first samples 1,024 of the 8,192 points of the files, as published."""
    config = read_config(CLASSIFY)  # imports our package, which mmdet3d's structures need to be there before them
    from mmdet3d.structures import Det3DDataSample
    if not from_files:
        transforms = config.model.data_preprocessor.train_transforms
        transforms[:] = [each for each in transforms if each.type != 'M2AEBatchSample']
    model = _recorded(config, setting)
    count = FILE_POINTS if from_files else CLASSIFY_POINTS
    points = _loaded(shape_clouds(setting.batch, count, setting.seed), setting)
    samples = [Det3DDataSample() for _ in range(setting.batch)]
    for sample, label in zip(samples, _labels(config, setting)):
        sample.gt_label = label
    collated = dict(inputs=dict(points=points), data_samples=samples)
    return training(config, model, lambda: model.data_preprocessor(collated, training=True), [points], setting)


def classify_plain(setting: Setting) -> Work:
    """The same by the baseline, without sampling."""
    from .plain_tasks import PlainClassifier
    config = read_config(CLASSIFY)
    torch.manual_seed(setting.seed)
    model = PlainClassifier(config.model)
    points = shape_clouds(setting.batch, CLASSIFY_POINTS, setting.seed).to(setting.device)
    labels = _labels(config, setting).to(setting.device)
    return _plain_training(model, points, [labels], setting, clip=config.optim_wrapper.clip_grad.max_norm)


def _loaded(points: Tensor, setting: Setting) -> Tensor:
    """Points as a loader of our tools hands them on: with a GPU in page-locked memory of the host."""
    return points.pin_memory() if setting.device == 'cuda' else points


def _labels(config, setting: Setting) -> Tensor:
    """``(batch,)`` int64."""
    return torch.arange(setting.batch) % config.model.head.num_classes


def detect_train(setting: Setting, config: str = DETECT) -> Work:
    """A step of a detector."""
    config = read_config(config)
    rooms = composed_rooms(setting.batch, SCENE_POINTS, setting.seed)
    points = room_clouds(rooms, SCENE_POINTS).to(setting.device)
    data = dict(inputs=dict(points=list(points)), data_samples=room_targets(rooms))
    return training(config, _recorded(config, setting), lambda: data, [points], setting)


def detect_infer(setting: Setting) -> Work:
    """Detections of 3DETR-m, suppression included; untrained, so that hardly a box is dropped by its score."""
    model = _recorded(read_config(DETECT), setting)
    rooms = composed_rooms(setting.batch, SCENE_POINTS, setting.seed)
    points = room_clouds(rooms, SCENE_POINTS).to(setting.device)
    inputs, samples = dict(points=list(points)), room_targets(rooms)
    return inference(lambda: model(inputs, samples, mode='predict'), model, [points], setting)
