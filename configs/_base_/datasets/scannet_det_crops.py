# scannet_det.py with the random crops that the published 3DETR code trains with. They keep at least 30,000 points of
# the whole scan and come before the 40,000 are drawn.
_base_ = './scannet_det.py'

crop = dict(type='ThreeDETRRandomCuboid', min_points=30000, aspect=0.8, min_crop=0.5, max_crop=1.0)
train_pipeline = [*_base_.load_scene, crop, _base_.draw_points, *_base_.augment, _base_.pack_scene]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
