# The paper's detection experiment, first half: pre-train the encoder of 3DETR-m on scenes, then go on with
# scannet_3detr-m_det.py. Data, 1080 epochs and learning rate 5e-4 are those of scannet_pretrain.py.
#
# The paper gives "2 encoder stages, 1 decoder stage, skip connections", and its code for detection was never
# published. Read here by its own rule for shapes (S scales have S - 1 decoder stages, and what is reconstructed are
# the groups of the last decoder stage's scale): the one stage works on scale 2, the 1,024 tokens behind the interim
# set abstraction, and predicts the groups of its masked centres, which are up to 32 scale-1 centres within 0.4 m.
# Measured on one real scan: 20 % of scale 2 and 59 % of scale 1 stay visible (on shapes, the paper's sizes give 67 %).
# A skip connection joins the finer scale's features between two stages, so it would act from a second stage on:
#   --cfg-options model.neck.embed_dims="[256,256]" model.neck.depths="[1,1]" model.head.num_points=64
# reads it the other way and reconstructs the balls of 64 points at scale 1.
_base_ = ['./scannet_pretrain.py', '../_base_/models/three_detr_encoder.py']

encoder_dims = [256, 256]
model = dict(
    # The encoder of ../_base_/models/three_detr_masked.py without local attention, which has no weights and is off in
    # pre-training (section 4.1).
    backbone=dict(
        _delete_=True, **dict(_base_.three_detr_encoder, dropout=0.3, masking_radii=None, interim=_base_.interim)),
    neck=dict(encoder_dims=encoder_dims, embed_dims=[256], depths=[1], num_heads=4),
    head=dict(in_channels=256, num_points=32))
find_unused_parameters = False  # 3DETR's encoder has no norms that nothing reads
