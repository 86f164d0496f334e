# Few-shot classification of the CC0 shapes that come with the package, in sizes for CPUs. Episodes are drawn
# with a seed:
# tools/fewshot.py configs/m2ae/free_shapes/fewshot_5way_10shot.py --checkpoint work_dirs/pretrain/epoch_30.pth
# Without --checkpoint from scratch; --pretrained shapes_small takes the weights that come with the package.
_base_ = ['../modelnet40_fewshot_5way_10shot.py', '../../_base_/models/small_encoder.py']

model = dict(backbone=_base_.small_encoder, head=dict(in_channels=256))
# There is no such folder of published episodes, so all are drawn.
episode = dict(
    data_root='data/free_shapes_fewshot/', source=dict(_delete_=True, type='M2AEFreeShapes', labelled_only=True))
train_dataloader = dict(num_workers=1, dataset=episode)
val_dataloader = dict(num_workers=1, dataset=episode)
test_dataloader = val_dataloader
