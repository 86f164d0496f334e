# Linear SVM on frozen features, kicad (56 classes), 1,024 points, train -> test.
# tools/test.py configs/m2ae/cad_shapes/svm_kicad.py PRETRAINED.pth
_base_ = '../modelnet40_svm.py'

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='M2AEShapesNpz',
        data_root='data/cad_shapes/',
        files=['kicad.npz'],
        labelled_only=True,
        split=['train', 'test'],
        pipeline=[dict(type='M2AESamplePoints', num_points=1024, random=False), dict(type='M2AEPackShape')],
        test_mode=True))
test_evaluator = dict(C=1.)  # the constant of the figures that came with the data
