from mmdet3d.registry import METRICS


def test_every_cloud_counts_the_same():
    metric = METRICS.build(dict(type='M2AEReconstructionMetric'))
    metric.process({}, [dict(reconstruction_loss=1.), dict(reconstruction_loss=2.)])
    metric.process({}, [dict(reconstruction_loss=6.)])
    assert metric.evaluate(3) == {'reconstruction/chamfer': 3.}
