"""What checkpoints, early stopping and schedules go by is known before the training."""
import pytest
from mmengine.config import Config

from m2ae_mm.engine.metric_check import choose_metrics

VALIDATION = dict(
    val_dataloader=dict(dataset=dict(type='ScanNetDataset', metainfo=dict(classes=['bed', 'chair']))),
    val_cfg=dict(type='ValLoop'))


def config(evaluator='M2AEIndoorMetric', hooks=(), **more):
    evaluator = dict(type=evaluator) if isinstance(evaluator, str) else evaluator
    hooks = {name: dict(type='CheckpointHook', **options) if name == 'checkpoint' else options
             for name, options in dict(hooks).items()}
    return Config(dict(VALIDATION, val_evaluator=evaluator, default_hooks=hooks, **more))


def best(evaluator, **options):
    found = config(evaluator, dict(checkpoint=options))
    told = choose_metrics(found)
    checkpoint = found.default_hooks.checkpoint
    return checkpoint.save_best, checkpoint.get('rule'), told


@pytest.mark.parametrize('evaluator, main, rule', [
    ('M2AEIndoorMetric', 'mAP_0.50', 'greater'), ('IndoorMetric', 'mAP_0.50', 'greater'),
    (dict(type='IndoorMetric', iou_thr=[0.25], prefix='det'), 'det/mAP_0.25', 'greater'),
    ('M2AEAccuracy', 'accuracy/overall', 'greater'), ('M2AEPartIoU', 'part/instance_miou', 'greater'),
    ('M2AEReconstructionMetric', 'reconstruction/chamfer', 'less'), ('SegMetric', 'miou', 'greater'),
    ('M2AELinearProbeMetric', 'linear_probe/accuracy', 'greater'),
    ([dict(type='M2AEAccuracy'), dict(type='M2AEReconstructionMetric')], 'accuracy/overall', 'greater'),
    (dict(type='Evaluator', metrics=[dict(type='M2AEAccuracy')]), 'accuracy/overall', 'greater')])
def test_auto_is_the_main_figure(evaluator, main, rule):
    found, chosen, told = best(evaluator, save_best='auto')
    assert (found, chosen) == (main, rule)
    assert told == [f'the best checkpoint is that of the best {main} (default_hooks.checkpoint.save_best=auto).']


def test_names_that_validation_gives_pass():
    assert best('M2AEIndoorMetric', save_best='chair_AP_0.25') == ('chair_AP_0.25', 'greater', [])
    two = ['mAP_0.25', 'mAR_0.50']
    assert best('M2AEIndoorMetric', save_best=two)[:2] == (two, ['greater'] * 2)
    assert best('M2AEReconstructionMetric', save_best='reconstruction/chamfer', rule='greater')[1] == 'greater'
    assert best('M2AEIndoorMetric', save_best=None) == (None, None, [])


@pytest.mark.parametrize('evaluator, name, message', [
    ('M2AEIndoorMetric', 'mAP_0.30', "names 'mAP_0.30', which .* did you mean 'mAP_0...'.* mAP_0.50, mAP_0.25"),
    ('M2AEIndoorMetric', 'sofa_AP_0.25', "names 'sofa_AP_0.25', which"),
    ('IndoorMetric', 'map_0.25', "mean 'mAP_0.25'"),
    ('M2AEAccuracy', 'overall', "mean 'accuracy/overall'"),
    ('M2AEPartIoU', ['part/instance_miou', 'miou'], "names 'miou'"),
    ('M2AEAccuracy', True, 'no name of a figure'),
    ('M2AEAccuracy', [], 'no name of a figure')])
def test_names_that_it_does_not_give_are_refused(evaluator, name, message):
    with pytest.raises(ValueError, match=f'default_hooks.checkpoint.save_best.*{message}'):
        best(evaluator, save_best=name)


def test_metrics_that_are_not_known_are_left_to_mmengine():
    assert best('KittiMetric', save_best='auto', rule='greater') == ('auto', 'greater', [])
    assert best('KittiMetric', save_best='Kitti metric/x') == ('Kitti metric/x', None, [])
    both = [dict(type='M2AEAccuracy'), dict(type='KittiMetric')]
    assert best(both, save_best='Kitti metric/x')[0] == 'Kitti metric/x'


def test_early_stopping_and_plateaus():
    stopping = dict(type='EarlyStoppingHook', monitor='accuracy/overall')
    found = config('M2AEAccuracy', param_scheduler=[dict(type='ReduceOnPlateauLR', monitor='accuracy/class_mean')],
                   custom_hooks=[stopping])
    assert choose_metrics(found) == []
    assert found.param_scheduler[0].rule == 'greater' and found.custom_hooks[0].rule == 'greater'
    found.custom_hooks[0].monitor = 'accuracy'
    with pytest.raises(ValueError, match="custom_hooks.0.monitor names 'accuracy', which"):
        choose_metrics(found)
    with pytest.raises(ValueError, match="param_scheduler.0.monitor names 'loss', which"):
        choose_metrics(config('M2AEAccuracy', param_scheduler=dict(type='ReduceOnPlateauLR')))


def test_without_validation_there_is_no_best():
    found = config(hooks=dict(checkpoint=dict(save_best='auto')))
    found.val_cfg = None
    with pytest.raises(ValueError, match="save_best='auto' needs a validation"):
        choose_metrics(found)
