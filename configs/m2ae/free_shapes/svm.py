# Linear SVM on frozen features of the CC0 shapes that come with the package (30 classes), 1,024 points, train -> test:
# tools/test.py configs/m2ae/free_shapes/svm.py work_dirs/pretrain/epoch_30.pth
# In place of what pretrain.py has trained: 'random' for an untrained encoder, or 'shapes_small'.
_base_ = ['../cad_shapes/svm_kicad.py', '../../_base_/models/small_encoder.py']

model = dict(backbone=_base_.small_encoder, neck=_base_.small_decoder, head=dict(in_channels=96))
test_dataloader = dict(num_workers=2, dataset=dict(type='M2AEFreeShapes', data_root=None, files=[]))
