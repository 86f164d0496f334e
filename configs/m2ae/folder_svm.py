# Linear SVM on frozen features of a folder of your own shapes, one sub-folder a class, train -> test:
# tools/test.py configs/m2ae/folder_svm.py PRETRAINED.pth --cfg-options test_dataloader.dataset.data_root=MY_SHAPES
_base_ = './modelnet40_svm.py'

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='M2AEFolder',
        data_root='data/shapes/',
        cache_dir='data/cache',
        split=['train', 'test'],
        pipeline=[
            dict(type='M2AESamplePoints', num_points=1024, seed=0),
            dict(type='M2AENormalizeUnitSphere'),
            dict(type='M2AEPackShape'),
        ],
        test_mode=True))
test_evaluator = dict(C=[0.01, 0.1, 1., 10.])  # chosen by cross-validation on the training shapes
