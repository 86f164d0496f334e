# Pre-training on ShapeNet55 with a linear SVM on ModelNet40 every 10 epochs. The figure is for watching: the last
# epoch is what goes on, not the best.
_base_ = ['./shapenet_pretrain.py', '../_base_/linear_probe.py']

modelnet40 = dict(
    type='M2AEModelNet40H5',
    data_root='data/ModelNet/modelnet40_ply_hdf5_2048/',
    split=['train', 'test'],
    pipeline=_base_.probe_pipeline,
    test_mode=True)
custom_hooks = [
    dict(
        _base_.linear_probe,
        metric=dict(type='M2AELinearProbeMetric', C=0.01),  # published code
        dataloader=dict(_base_.probe_loader, num_workers=4, dataset=modelnet40))
]
