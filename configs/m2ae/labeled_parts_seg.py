# Part segmentation of the labelled Princeton meshes: 17 categories, 83 parts, 9 training and 3 test shapes of each.
# tools/train.py configs/m2ae/labeled_parts_seg.py --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
_base_ = './shapenetpart_seg.py'

model = dict(
    # The shapes have no common heading, so training turns them about z.
    data_preprocessor=dict(
        train_transforms=[dict(type='M2AEBatchRotate', axis=2), dict(type='M2AEBatchScaleShift')]),
    head=dict(num_parts=83, num_categories=17))
shapes = dict(
    _delete_=True, type='M2AEPartsNpz', data_root='data/labeled_parts/', pipeline=[dict(type='M2AEPackShape')])
train_dataloader = dict(dataset=dict(split='train', **shapes))
val_dataloader = dict(dataset=dict(split='test', test_mode=True, **shapes))
test_dataloader = val_dataloader
