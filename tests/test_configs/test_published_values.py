"""What the configs of the papers' experiments amount to, against the numbers of the papers and of the published code.

A key is dotted; a step of a pipeline goes by its type. Where a config leaves an option out, the default of its class
counts.
"""
import inspect
from functools import cache

import numpy as np
import pytest
from mmengine.config import Config
from runs import CONFIGS

from mmdet3d.registry import DATASETS, METRICS, MODELS, TRANSFORMS

WIDTHS, LOCAL = [96, 192, 384], [0.32, 0.64, 1.28]
TRAIN, TEST = 'train_dataloader.dataset.', 'test_dataloader.dataset.'
STEPS, AUGMENTED, LR = TRAIN + 'pipeline.', 'model.data_preprocessor.train_transforms.', 'optim_wrapper.optimizer.lr'
# +-5 degrees, and +-30.
FEW_DEGREES, MANY_DEGREES = ([-angle, angle] for angle in np.deg2rad([5, 30]))

SHAPE_ENCODER = {
    'model.backbone.num_centers': [512, 256, 64], 'model.backbone.num_neighbors': [16, 8, 8],
    'model.backbone.embed_dims': WIDTHS, 'model.backbone.depths': [5, 5, 5], 'model.backbone.num_heads': 6,
    'model.backbone.drop_path_rate': 0.1,
}
DECODER = {
    'model.mask_ratio': 0.8, 'model.backbone.radii': None, 'model.backbone.stage_norm': True,
    'model.neck.drop_path_rate': 0.1, 'model.neck.embed_dims': [384, 192],
    'model.neck.depths': [1, 1], 'model.neck.num_heads': 6,
    'model.head.num_points': 16, 'model.multi_scale_masking': True, 'model.neck.skip_connections': True,
}
FINE_TUNED = {
    LR: 5e-4, 'optim_wrapper.optimizer.weight_decay': 0.05, 'optim_wrapper.clip_grad.max_norm': 10,
    'train_dataloader.batch_size': 32, 'train_cfg.max_epochs': 300, 'model.backbone.radii': LOCAL,
    'param_scheduler.CosineAnnealingLR.end': 300,
}
CLASSIFIER = {
    'model.backbone.stage_norm': False, 'model.head.hidden': [256, 256], 'model.head.dropout': 0.5,
    AUGMENTED + 'M2AEBatchScaleShift.scale_range': [2 / 3, 3 / 2], AUGMENTED + 'M2AEBatchScaleShift.shift_range': 0.2,
    AUGMENTED + 'M2AEBatchScaleShift.per_axis': True,
}
MODELNET40 = {
    **CLASSIFIER, 'model.head.pooling': 'max+mean', 'model.head.label_smoothing': 0.3, 'model.votes': 0,
    AUGMENTED + 'M2AEBatchSample.num_points': 1024, AUGMENTED + 'M2AEBatchSample.num_candidates': 1200,
    'model.data_preprocessor.test_transforms.M2AEBatchSample.num_points': 1024,
    'model.data_preprocessor.test_transforms.M2AEBatchSample.num_candidates': None,
    'model.data_preprocessor.vote_transforms.M2AEBatchSample.num_points': 1024,
    'model.data_preprocessor.vote_transforms.M2AEBatchSample.num_candidates': 1200,
    'model.data_preprocessor.vote_transforms.M2AEBatchScaleShift.scale_range': [2 / 3, 3 / 2],
}
PROBE = {**SHAPE_ENCODER, 'model.backbone.radii': None, 'model.backbone.stage_norm': True,
         TEST + 'split': ['train', 'test']}
SCANOBJECTNN = {
    **SHAPE_ENCODER, **FINE_TUNED, **CLASSIFIER, 'model.backbone.num_neighbors': [32, 16, 16],
    'model.head.num_classes': 15, 'model.head.pooling': 'concat', 'model.head.label_smoothing': 0,
    'model.votes': 0, STEPS + 'M2AESamplePoints.num_points': 2048,
}
SHAPES = {
    'shapenet_pretrain': {
        **SHAPE_ENCODER, **DECODER, LR: 1e-3, 'optim_wrapper.optimizer.weight_decay': 0.05,
        'train_dataloader.batch_size': 128, 'train_cfg.max_epochs': 300,
        'param_scheduler.CosineAnnealingLR.end': 400, STEPS + 'M2AESamplePoints.num_points': 2048,
        STEPS + 'M2AESamplePoints.random': True, STEPS + 'M2AESamplePoints.seed': None,
        TEST + 'pipeline.M2AESamplePoints.num_points': 2048, TEST + 'pipeline.M2AESamplePoints.random': False,
        TRAIN + 'split': 'train', TEST + 'split': 'test',
        AUGMENTED + 'M2AEBatchScaleShift.scale_range': [2 / 3, 3 / 2],
        AUGMENTED + 'M2AEBatchScaleShift.shift_range': 0.2, AUGMENTED + 'M2AEBatchScaleShift.per_axis': True,
    },
    'shapenet_pretrain_probe': {
        'custom_hooks.0.metric.C': 0.01, 'custom_hooks.0.dataloader.dataset.split': ['train', 'test'],
        'custom_hooks.0.dataloader.dataset.pipeline.M2AESamplePoints.num_points': 1024,
        'custom_hooks.0.dataloader.dataset.pipeline.M2AESamplePoints.random': False,
    },
    'modelnet40_svm': {
        **PROBE, 'test_evaluator.C': 0.01, TEST + 'pipeline.M2AESamplePoints.num_points': 1024,
        TEST + 'pipeline.M2AESamplePoints.random': False,
    },
    'scanobjectnn_svm': {**PROBE, 'test_evaluator.C': 0.042, TEST + 'variant': 'objbg'},
    'modelnet40_cls': {
        **SHAPE_ENCODER, **FINE_TUNED, **MODELNET40, 'model.head.num_classes': 40, TRAIN + 'num_points': 8192,
        TEST + 'num_points': 8192, TRAIN + 'split': 'train', TEST + 'split': 'test',
    },
    **{f'modelnet40_fewshot_{way}way_{shot}shot': {
        **SHAPE_ENCODER, **FINE_TUNED, **MODELNET40, 'model.head.num_classes': way, 'train_cfg.max_epochs': 150,
        'param_scheduler.CosineAnnealingLR.end': 150, TRAIN + 'way': way, TRAIN + 'shot': shot, TEST + 'way': way,
        TEST + 'shot': shot, TRAIN + 'source.num_points': 8192, TEST + 'test_shots': 20,
    } for way in (5, 10) for shot in (10, 20)},
    **{f'scanobjectnn_{variant}_cls': {**SCANOBJECTNN, TRAIN + 'variant': variant, TEST + 'variant': variant}
       for variant in ('objbg', 'objonly', 'pbt50rs')},
    'shapenetpart_seg': {
        **SHAPE_ENCODER, **FINE_TUNED, LR: 2e-4, 'train_dataloader.batch_size': 16, 'model.backbone.stage_norm': True,
        TRAIN + 'split': ['train', 'val'], TEST + 'split': 'test', STEPS + 'M2AESamplePoints.num_points': 2048,
        STEPS + 'M2AESamplePoints.seed': None, TEST + 'pipeline.M2AESamplePoints.num_points': 2048,
        TEST + 'pipeline.M2AESamplePoints.seed': 0,
        AUGMENTED + 'M2AEBatchScaleShift.scale_range': [0.8, 1.25],
        AUGMENTED + 'M2AEBatchScaleShift.shift_range': 0.1, AUGMENTED + 'M2AEBatchScaleShift.per_axis': False,
        'model.head.num_parts': 50, 'model.head.num_categories': 16, 'model.head.in_channels': WIDTHS,
        'model.head.propagated': [1536, 1024], 'model.head.hidden': [1024, 512, 256],
        'model.head.category_channels': 64,
    },
}

TURNED = {AUGMENTED + 'M2AEBatchRotate.axis': 1}
I2P_AUGMENTED = {
    **TURNED, AUGMENTED + 'M2AEBatchRotate.per_cloud': False,
    AUGMENTED + 'M2AEBatchScaleShift.scale_range': [0.9, 1.1], AUGMENTED + 'M2AEBatchScaleShift.shift_range': 0,
    AUGMENTED + 'M2AEBatchScaleShift.per_axis': True,
}
I2P_RADII = dict(objbg=LOCAL, objonly=LOCAL, pbt50rs=[0.48, 0.96, 1.92])
# What I2P-MAE and rotational augmentation change.
FIELD = {
    **{f'scanobjectnn_{variant}_rotated_cls': {
        **{key: value for key, value in SCANOBJECTNN.items() if not key.startswith(AUGMENTED)}, **TURNED,
        AUGMENTED + 'M2AEBatchRotate.per_cloud': True, TRAIN + 'variant': variant, TEST + 'variant': variant,
    } for variant in ('objbg', 'objonly', 'pbt50rs')},
    **{f'../i2p_mae/scanobjectnn_{variant}_cls': {
        **SCANOBJECTNN, **I2P_AUGMENTED, 'model.backbone.radii': I2P_RADII[variant], TRAIN + 'variant': variant,
        TEST + 'variant': variant,
    } for variant in ('objbg', 'objonly', 'pbt50rs')},
    '../i2p_mae/modelnet40_cls': {
        **SHAPE_ENCODER, **FINE_TUNED, **MODELNET40, 'model.backbone.num_neighbors': [48, 24, 24],
        'model.backbone.radii': [0.24, 0.48, 0.96], 'model.head.label_smoothing': 0.2},
    '../i2p_mae/modelnet40_svm': {
        **PROBE, 'test_evaluator.C': 0.0093, 'model.pooling': 'max',
        TEST + 'pipeline.M2AESamplePoints.num_points': 1024, TEST + 'pipeline.M2AESamplePoints.random': False},
    '../i2p_mae/scanobjectnn_svm': {
        **PROBE, 'test_evaluator.C': 0.018, 'model.pooling': 'max', TEST + 'variant': 'objbg'},
    '../i2p_mae/shapenet_pretrain': {
        **SHAPE_ENCODER, **DECODER, LR: 1e-3, 'model.head.num_points': 8, 'train_dataloader.batch_size': 64,
        'train_cfg.max_epochs': 300, 'param_scheduler.CosineAnnealingLR.end': 400,
        'model.data_preprocessor.train_transforms': [], 'auto_scale_lr.base_batch_size': 64},
}

SCANS = {
    'train_dataloader.batch_size': 8, 'train_cfg.max_epochs': 1080, LR: 5e-4,
    'param_scheduler.CosineAnnealingLR.end': 1080,
    STEPS + 'LoadPointsFromFile.use_dim': [0, 1, 2], STEPS + 'LoadPointsFromFile.shift_height': False,
    STEPS + 'PointSample.num_points': 40000, STEPS + 'GlobalRotScaleTrans.rot_range': FEW_DEGREES,
    STEPS + 'GlobalRotScaleTrans.scale_ratio_range': [1, 1], STEPS + 'RandomFlip3D.flip_ratio_bev_horizontal': 0.5,
    STEPS + 'RandomFlip3D.flip_ratio_bev_vertical': 0.5, TEST + 'pipeline.M2AESamplePoints.num_points': 40000,
    TEST + 'pipeline.M2AESamplePoints.seed': 0,
}
DETECTOR = {
    'model.bbox_head.num_layers': 8, 'model.bbox_head.num_heads': 4, 'model.bbox_head.embed_dims': 256,
    'model.bbox_head.feedforward_channels': 256, 'model.bbox_head.dropout': 0.1, 'model.bbox_head.mlp_dropout': 0.3,
    'model.train_cfg.matcher.cost_class': 1, 'model.train_cfg.loss_weights.loss_angle_cls': 0.1,
    'model.train_cfg.loss_weights.loss_angle_reg': 0.5, 'model.train_cfg.loss_weights.loss_center': 5,
    'model.train_cfg.loss_weights.loss_size': 1, 'model.test_cfg.nms_thr': 0.25, 'model.test_cfg.score_thr': 0.05,
    'model.test_cfg.min_points': 5, 'model.test_cfg.per_class_proposal': True,
    'optim_wrapper.clip_grad.max_norm': 0.1, 'optim_wrapper.optimizer.weight_decay': 0.1,
    STEPS + 'ThreeDETRRandomCuboid.min_points': 30000, STEPS + 'ThreeDETRRandomCuboid.max_crop': 1,
}
PRE_ENCODER = {
    'model.backbone.num_points': 2048, 'model.backbone.radius': 0.2, 'model.backbone.num_samples': 64,
    'model.backbone.mlp_channels': [64, 128], 'model.backbone.num_layers': 3, 'model.backbone.num_heads': 4,
    'model.backbone.feedforward_channels': 128, 'model.backbone.embed_dims': 256,
}
VANILLA = {**PRE_ENCODER, 'model.backbone.dropout': 0.1, 'model.bbox_head.projection_channels': [256, 256],
           'model.backbone.masking_radii': None, 'model.backbone.interim': None}
MASKED = {
    **PRE_ENCODER, 'model.backbone.dropout': 0.3, 'model.backbone.masking_radii': [0.4**2, 0.8**2, 1.2**2],
    'model.backbone.interim.num_points': 1024, 'model.backbone.interim.radius': 0.4,
    'model.backbone.interim.num_samples': 32, 'model.backbone.interim.mlp_channels': [256, 256],
    'model.bbox_head.projection_channels': [256],
}
SCANNET = {
    **SCANS, **DETECTOR, 'model.bbox_head.num_classes': 18, 'model.bbox_head.num_queries': 256,
    'model.bbox_head.num_angle_bins': 1, 'model.train_cfg.no_object_weight': 0.25,
    'model.train_cfg.matcher.cost_giou': 2, 'model.train_cfg.matcher.cost_center': 0,
    'model.train_cfg.matcher.cost_objectness': 0, 'model.train_cfg.loss_weights.loss_sem_cls': 1,
    'model.train_cfg.loss_weights.loss_giou': 1, STEPS + 'ThreeDETRRandomCuboid.aspect': 0.8,
    STEPS + 'ThreeDETRRandomCuboid.min_crop': 0.5,
}
SUNRGBD = {
    **SCANS, **DETECTOR, LR: 7e-4, 'model.bbox_head.num_classes': 10, 'model.bbox_head.num_queries': 128,
    'model.bbox_head.num_angle_bins': 12, 'model.train_cfg.no_object_weight': 0.1,
    'model.train_cfg.matcher.cost_giou': 3, 'model.train_cfg.matcher.cost_center': 5,
    'model.train_cfg.matcher.cost_objectness': 5, 'model.train_cfg.loss_weights.loss_sem_cls': 1,
    'model.train_cfg.loss_weights.loss_giou': 0, STEPS + 'PointSample.num_points': 20000,
    STEPS + 'GlobalRotScaleTrans.rot_range': MANY_DEGREES,
    STEPS + 'GlobalRotScaleTrans.scale_ratio_range': [0.85, 1.15],
    STEPS + 'RandomFlip3D.flip_ratio_bev_vertical': 0, TEST + 'pipeline.M2AESamplePoints.num_points': 20000,
    STEPS + 'ThreeDETRRandomCuboid.aspect': 0.75, STEPS + 'ThreeDETRRandomCuboid.min_crop': 0.75,
}
VDETR_HEAD = {
    'model.bbox_head.num_layers': 8, 'model.bbox_head.num_heads': 4, 'model.bbox_head.embed_dims': 256,
    'model.bbox_head.feedforward_channels': 256, 'model.bbox_head.dropout': 0.1, 'model.bbox_head.mlp_dropout': 0.3,
    'model.bbox_head.anchor_sizes': None, 'model.bbox_head.query_content': 'learned',
    'model.bbox_head.position_encoding': 'vertices', 'model.bbox_head.rpe_channels': 128,
    'model.bbox_head.relative_to': 'proposal', 'model.bbox_head.scene_normalized': False,
    'model.bbox_head.read_positions': False,
    **{f'model.train_cfg.matcher.cost_{name}': value
       for name, value in dict(**{'class': 3}, giou=2, center=1, size=0.5).items()},
    'model.train_cfg.matcher.copies': 5, 'model.train_cfg.matcher.first_assignment': 'matched',
    **{f'model.train_cfg.loss_weights.loss_{name}': value for name, value in dict(
        sem_cls=3, angle_cls=0.1, angle_reg=0.5, center=1, size=0.5, giou=2, point_cls=0.05).items()},
    'model.test_cfg.nms_thr': 0.25, 'model.test_cfg.score_thr': 0, 'model.test_cfg.min_points': 0,
    'model.test_cfg.per_class_proposal': True, LR: 7e-4, 'optim_wrapper.clip_grad.max_norm': 0.1,
    'optim_wrapper.optimizer.weight_decay': 0.1, 'train_cfg.max_epochs': 540, 'train_dataloader.batch_size': 8,
    TRAIN + 'filter_empty_gt': True, STEPS + 'ThreeDETRRandomCuboid.min_points': 30000,
}
VDETR_SCANNET = {
    **VDETR_HEAD, 'model.bbox_head.num_classes': 18, 'model.bbox_head.num_angle_bins': 1,
    STEPS + 'ThreeDETRRandomCuboid.aspect': 0.8, STEPS + 'ThreeDETRRandomCuboid.min_crop': 0.5,
    STEPS + 'ThreeDETRRandomCuboid.max_crop': 1, STEPS + 'RandomFlip3D.flip_ratio_bev_horizontal': 0.5,
    STEPS + 'RandomFlip3D.flip_ratio_bev_vertical': 0.5, STEPS + '7.rot_range': FEW_DEGREES,
    STEPS + '7.scale_ratio_range': [1, 1], STEPS + 'M2AERandomShift.max_shift': 0.4,
    STEPS + '9.rot_range': [0, 0], STEPS + '9.scale_ratio_range': [0.6, 1.4],
}
SCENES = {
    '../vdetr/vdetr-m2ae_scannet': {
        **VDETR_SCANNET, 'model.bbox_head.num_queries': 1024, 'model.backbone.embed_dims': WIDTHS},
    '../vdetr/vdetr-3detr-m_scannet': {
        **VDETR_SCANNET, 'model.bbox_head.num_queries': 256,
        **{key: value for key, value in MASKED.items() if 'bbox_head' not in key}},
    '../vdetr/vdetr-m2ae_sunrgbd': {
        **VDETR_HEAD, 'model.bbox_head.num_classes': 10, 'model.bbox_head.num_angle_bins': 12,
        'model.bbox_head.rpe_in_box_frame': True, 'model.backbone.embed_dims': WIDTHS},
    '../3detr/3detr_scannet': {**SCANNET, **VANILLA},
    '../3detr/3detr-m_scannet': {**SCANNET, **MASKED},
    '../3detr/3detr_sunrgbd': {**SUNRGBD, **VANILLA},
    '../3detr/3detr-m_sunrgbd': {
        **SUNRGBD, **MASKED, 'model.backbone.dropout': 0.1, 'model.train_cfg.loss_weights.loss_sem_cls': 0.8},
    'scannet_3detr-m_det': {**SCANNET, **MASKED},
    'scannet_det': {**SCANNET, 'model.backbone.radii': [0.4, 0.8, 1.2], 'model.backbone.embed_dims': WIDTHS,
                    'model.backbone.depths': [5, 5, 5], 'model.bbox_head.projection_channels': [256]},
    'scannet_pretrain': {**SCANS, **DECODER, 'model.backbone.embed_dims': WIDTHS},
    'scannet_3detr-m_pretrain': {
        **SCANS, **{key: value for key, value in MASKED.items() if 'bbox_head' not in key},
        'model.backbone.masking_radii': None, 'model.mask_ratio': 0.8, 'model.neck.depths': [1]},
}


@cache
def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def default(config, part):
    """What the class that ``config`` names takes where the option ``part`` is left out."""
    for registry in (MODELS, TRANSFORMS, DATASETS, METRICS):
        if built := registry.get(config.type):
            return inspect.signature(built).parameters[part].default
    raise KeyError(part)


def effective(name, key):
    found = load(name)
    for part in key.split('.'):
        if isinstance(found, list):
            found, = (step for i, step in enumerate(found) if part in (str(i), step.type))
        else:
            found = found[part] if part in found else default(found, part)
    return found


@pytest.mark.parametrize('name', TABLES := {**SHAPES, **FIELD, **SCENES})
def test_options_are_the_published_ones(name):
    for key, value in TABLES[name].items():
        found = effective(name, key)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            assert found == pytest.approx(value, rel=1e-5), key
        elif isinstance(found, (list, tuple)) and value and not isinstance(value[0], str):
            assert list(found) == pytest.approx(value, rel=1e-5), key
        else:
            assert found == value, key


@pytest.mark.parametrize('name, epochs', [
    ('shapenet_pretrain', 10), ('modelnet40_cls', 10), ('modelnet40_fewshot_10way_20shot', 10),
    ('shapenetpart_seg', 10), ('scanobjectnn_objbg_cls', 10), ('../3detr/3detr_scannet', 9),
    ('../3detr/3detr-m_sunrgbd', 9), ('scannet_pretrain', 10),
])
def test_the_rate_rises_from_a_millionth_and_falls_back_to_it(name, epochs):
    config = load(name)
    rise, fall = config.param_scheduler
    assert (rise.type, fall.type, rise.begin, rise.end, fall.begin) == (
        'LinearLR', 'CosineAnnealingLR', 0, epochs, epochs)
    assert rise.start_factor * config.optim_wrapper.optimizer.lr == pytest.approx(1e-6)
    assert fall.eta_min == 1e-6
    assert all(part.by_epoch and part.convert_to_iter_based for part in (rise, fall))


NORMALISE, SAMPLE, PACK = 'M2AENormalizeUnitSphere', 'M2AESamplePoints', 'M2AEPackShape'
FRAME = 'M2AESceneFrame'  # changes nothing unless told to
SCAN = ['LoadPointsFromFile', 'GlobalAlignment', FRAME]
MOVED = ['RandomFlip3D', 'GlobalRotScaleTrans']
CROPPED = ['ThreeDETRRandomCuboid', 'PointSample']
DETECTION = ['LoadPointsFromFile', 'LoadAnnotations3D', 'GlobalAlignment', FRAME, *CROPPED, *MOVED]


@pytest.mark.parametrize('name, train, test', [
    # Of 8,192 points the 2,048 are drawn first; the sphere is theirs.
    ('shapenet_pretrain', [SAMPLE, NORMALISE, PACK], [SAMPLE, NORMALISE, PACK]),
    # The sphere is of all points; those that count are chosen afterwards.
    ('modelnet40_cls', [NORMALISE, PACK], [NORMALISE, PACK]),
    ('modelnet40_fewshot_5way_10shot', [NORMALISE, PACK], [NORMALISE, PACK]),
    ('shapenetpart_seg', [NORMALISE, SAMPLE, PACK], [NORMALISE, SAMPLE, PACK]),
    ('scanobjectnn_objbg_cls', [SAMPLE, PACK], [PACK]),
    ('modelnet40_svm', None, [SAMPLE, PACK]),
    ('scanobjectnn_svm', None, [PACK]),
    ('scannet_pretrain', [*SCAN, 'PointSample', *MOVED], [*SCAN, SAMPLE]),
    ('scannet_3detr-m_pretrain', [*SCAN, 'PointSample', *MOVED], [*SCAN, SAMPLE]),
    ('scannet_det', DETECTION, [*SCAN, SAMPLE]),
    ('../vdetr/vdetr-m2ae_scannet', [*DETECTION, 'M2AERandomShift', 'GlobalRotScaleTrans'], [*SCAN, SAMPLE]),
    ('../3detr/3detr_scannet', DETECTION, [*SCAN, SAMPLE]),
    ('../3detr/3detr_sunrgbd', ['LoadPointsFromFile', 'LoadAnnotations3D', FRAME, *MOVED, *CROPPED],
     [SCAN[0], FRAME, SAMPLE]),
])
def test_steps_come_in_the_published_order(name, train, test):
    for loader, steps in (('train_dataloader', train), ('val_dataloader', test), ('test_dataloader', test)):
        if load(name).get(loader) and steps:
            found = [step.type for step in load(name)[loader].dataset.pipeline]
            assert found == (steps if steps[-1] == PACK else [*steps, 'Pack3DDetInputs']), loader


def test_rotation_comes_alone_or_after_scaling():
    names = ['scanobjectnn_pbt50rs_rotated_cls', '../i2p_mae/scanobjectnn_objonly_cls']
    found = [[step.type for step in load(name).model.data_preprocessor.train_transforms] for name in names]
    assert found == [['M2AEBatchRotate'], ['M2AEBatchScaleShift', 'M2AEBatchRotate']]


def test_votes_see_clouds_as_training_does():
    config = load('modelnet40_cls').model.data_preprocessor
    assert config.vote_transforms == config.train_transforms


@pytest.mark.parametrize('name, key, value', [
    ('table8_mask_ratio_05', 'model.mask_ratio', 0.5), ('table8_mask_ratio_06', 'model.mask_ratio', 0.6),
    ('table8_mask_ratio_07', 'model.mask_ratio', 0.7), ('table8_mask_ratio_09', 'model.mask_ratio', 0.9),
    ('table8_independent_masks', 'model.multi_scale_masking', False),
    ('table7_no_skip', 'model.neck.skip_connections', False),
    ('table7_no_local_attention', 'model.backbone.radii', None),
    ('table7_flat_encoder', 'model.backbone.depths', [0, 0, 15]), ('table7_flat_decoder', 'model.neck.depths', [2]),
    ('table7_flat_encoder_decoder', 'model.backbone.depths', [0, 0, 15]),
    ('table7_flat_encoder_decoder', 'model.neck.depths', [2]), ('table10_pool_max', 'model.head.pooling', 'max'),
    ('table10_pool_mean', 'model.head.pooling', 'mean'), ('table10_class_token', 'model.head.pooling', 'class_token'),
    ('table11_2_1_stages', 'model.neck.depths', [1]), ('table11_2_1_stages', 'model.backbone.depths', [5, 5]),
    ('table11_3_3_stages', 'model.neck.depths', [1, 1, 1]), ('table11_4_3_stages', 'model.neck.depths', [1, 1, 1]),
    ('table11_4_3_stages', 'model.backbone.depths', [5, 5, 5, 5]),
    ('table12_3_1_blocks', 'model.backbone.depths', [3, 3, 3]),
    ('table12_4_1_blocks', 'model.backbone.depths', [4, 4, 4]), ('table12_5_2_blocks', 'model.neck.depths', [2, 2]),
])
def test_ablation_changes_what_its_table_says(name, key, value):
    assert effective(f'ablations/{name}', key) == value
