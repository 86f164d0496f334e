# Table 7: decoder without hierarchy, linear SVM 92.2. Two blocks at the coarsest scale, which is what is reconstructed.
_base_ = '../shapenet_pretrain.py'
model = dict(neck=dict(embed_dims=[384], depths=[2]), head=dict(in_channels=384))
