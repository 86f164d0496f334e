# The 3D half of I2P-MAE's pre-training (Zhang et al., CVPR 2023, section 3): Point-M2AE's model with a head that
# predicts k_2 = 8 points. Its other half is not here, since it needs a 2D model (CLIP ViT-B/16) and depth images of
# every cloud: masks guided by CLIP's attention, and a head that predicts CLIP's features at visible centres. So masks
# are random, and the published figures are not those of this config. It is the model that published checkpoints
# belong to:
#   tools/test.py configs/i2p_mae/modelnet40_svm.py PUBLISHED.pth
_base_ = '../m2ae/shapenet_pretrain.py'

model = dict(
    # No augmentation, as in effect in the published code: in place of scaling and shifting it turns every cloud, and
    # then feeds the one that is not turned.
    data_preprocessor=dict(train_transforms=[]),
    head=dict(num_points=8))
train_dataloader = dict(batch_size=64)  # published code
auto_scale_lr = dict(base_batch_size=64)
