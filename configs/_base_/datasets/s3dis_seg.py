# S3DIS for semantic segmentation, 13 classes: mmdet3d's data set, blocks, colours and places in the room; area 5 tests.
_base_ = ['mmdet3d::_base_/datasets/s3dis-seg.py', './seg_steps.py']

class_names = _base_.class_names
train_pipeline = _base_.load_points + [
    # 4,096 points of a block of 1 m, and where they are in the room as three more columns (mmdet3d's, from PointNet).
    dict(type='IndoorPatchPointSample', num_points=4096, block_size=1.0, ignore_index=13, use_normalized_coord=True,
         enlarge_size=0.2),
    dict(type='NormalizePointsColor', color_mean=None),
    dict(type='Pack3DDetInputs', keys=['points', 'pts_semantic_mask']),
]
test_pipeline = _base_.load_points + [
    dict(type='NormalizePointsColor', color_mean=None),
    dict(type='Pack3DDetInputs', keys=['points', 'pts_semantic_mask']),
]

train_dataloader = dict(
    batch_size=16,  # mmdet3d's PointNet++
    dataset=dict(
        pipeline=train_pipeline,
        scene_idxs=[f'seg_info/Area_{i}_resampled_scene_idxs.npy' for i in (1, 2, 3, 4, 6)]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AESegMetric')
test_evaluator = val_evaluator
# mmdet3d's own visualizer opens a window.
visualizer = dict(type='M2AELocalVisualizer')
