# Table 7: neither encoder nor decoder has a hierarchy, linear SVM 90.7.
_base_ = './table7_flat_encoder.py'
model = dict(neck=dict(embed_dims=[384], depths=[2]), head=dict(in_channels=384))
