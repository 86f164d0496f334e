# Few-shot classification on ModelNet40, 5-way 10-shot: 96.8 +- 1.8 % over ten folds (table 4).
# tools/fewshot.py configs/m2ae/modelnet40_fewshot_5way_10shot.py --checkpoint PRETRAINED.pth
_base_ = './modelnet40_cls.py'

model = dict(head=dict(num_classes=5))

# Published episodes are read from data_root; where there are none, they are drawn from source with a seed.
episode = dict(
    _delete_=True,
    type='M2AEFewShot',
    data_root='data/ModelNetFewshot/',
    way=5,
    shot=10,
    fold=0,
    source=dict(type='M2AEModelNet40', data_root='data/ModelNet/modelnet40_normal_resampled/', num_points=8192,
                cache_dir='data/cache'),
    pipeline=[dict(type='M2AENormalizeUnitSphere'), dict(type='M2AEPackShape')])
train_dataloader = dict(dataset=dict(split='train', **episode))
val_dataloader = dict(dataset=dict(split='test', test_mode=True, **episode))
test_dataloader = val_dataloader

# 150 epochs (section 4.2).
train_cfg = dict(max_epochs=150, val_interval=150)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=150)]
default_hooks = dict(checkpoint=dict(interval=50, max_keep_ckpts=1))
