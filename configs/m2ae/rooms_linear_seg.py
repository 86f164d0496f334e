# The linear probe of scenes: one linear layer on the tokens of all scales. The encoder is to be frozen.
_base_ = './rooms_seg.py'

model = dict(
    neck=None,
    decode_head=dict(_delete_=True, type='M2AELinearSegHead', in_channels=[32, 64, 128], num_classes=20,
                     ignore_index=20, loss_decode=dict(
                         type='mmdet.CrossEntropyLoss', use_sigmoid=False, class_weight=None, avg_non_ignore=True,
                         loss_weight=1.0)))
