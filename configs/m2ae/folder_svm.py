# Linear SVM on frozen features of a folder of your own shapes, one sub-folder a class, train -> test. For what
# folder_pretrain.py has trained, or the weights that come with the package:
# m2ae test m2ae_mm::m2ae/folder_svm.py shapes_small --data MY_SHAPES
_base_ = ['./folder_svm_large.py', '../_base_/models/small_encoder.py']

model = dict(backbone=_base_.small_encoder, neck=_base_.small_decoder, head=dict(in_channels=96))
test_dataloader = dict(num_workers=2)
