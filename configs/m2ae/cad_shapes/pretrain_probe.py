# Pre-training on the CAD shapes with the linear SVM of svm_kicad.py every 10 epochs.
_base_ = ['./pretrain.py', '../../_base_/linear_probe.py']

kicad = dict(
    type='M2AEShapesNpz',
    data_root=_base_.data_root,
    files=['kicad.npz'],
    labelled_only=True,
    split=['train', 'test'],
    pipeline=_base_.probe_pipeline,
    test_mode=True)
custom_hooks = [dict(_base_.linear_probe, dataloader=dict(_base_.probe_loader, dataset=kicad))]
