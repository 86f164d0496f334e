# pretrain.py five times as long, with the linear SVM of svm.py before the training and every tenth epoch:
# tools/train.py configs/m2ae/free_shapes/pretrain_probe.py
# tools/plot.py curves pre-training=work_dirs/pretrain_probe --metric linear_probe/accuracy --out probe.png
_base_ = ['./pretrain.py', '../../_base_/linear_probe.py']

labelled = dict(
    type='M2AEFreeShapes', labelled_only=True, split=['train', 'test'], pipeline=_base_.probe_pipeline, test_mode=True)
custom_hooks = [dict(_base_.linear_probe, dataloader=dict(_base_.probe_loader, dataset=labelled))]
epochs = 150
# A long warm-up and clipped gradients lead away from where all predictions are alike.
optim_wrapper = dict(clip_grad=dict(max_norm=5.))
param_scheduler = [dict(_base_.warm_up, end=30), dict(_base_.cosine, begin=30, end=epochs)]
train_cfg = dict(max_epochs=epochs)
