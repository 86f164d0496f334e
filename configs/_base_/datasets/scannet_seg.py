# ScanNetV2 for semantic segmentation, 20 classes: mmdet3d's data set, blocks and colours.
_base_ = ['mmdet3d::_base_/datasets/scannet-seg.py', './seg_steps.py']

class_names = _base_.class_names
train_pipeline = _base_.load_points + [
    # 8,192 points of a block of 1.5 m, moved to its middle (mmdet3d's, from PointNet++).
    dict(type='IndoorPatchPointSample', num_points=8192, block_size=1.5, ignore_index=20, enlarge_size=0.2),
    dict(type='NormalizePointsColor', color_mean=None),
    dict(type='Pack3DDetInputs', keys=['points', 'pts_semantic_mask']),
]
test_pipeline = _base_.load_points + [
    dict(type='NormalizePointsColor', color_mean=None),
    dict(type='Pack3DDetInputs', keys=['points', 'pts_semantic_mask']),
]

train_dataloader = dict(
    batch_size=16,  # mmdet3d's PointNet++
    # mmdet3d 1.4 puts data_root before it a second time.
    dataset=dict(pipeline=train_pipeline, scene_idxs='seg_info/train_resampled_scene_idxs.npy'))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AESegMetric')
test_evaluator = val_evaluator
# mmdet3d's own visualizer opens a window.
visualizer = dict(type='M2AELocalVisualizer')
