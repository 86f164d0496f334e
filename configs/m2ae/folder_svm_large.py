# Linear SVM on what folder_pretrain_large.py has trained, on a folder with a sub-folder for each class:
# m2ae test m2ae_mm::m2ae/folder_svm_large.py PRETRAINED.pth --data MY_SHAPES
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
