# Linear SVM on frozen features of ScanObjectNN OBJ-BG: 84.12 %.
# tools/test.py configs/m2ae/scanobjectnn_svm.py PRETRAINED.pth
_base_ = './modelnet40_svm.py'

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='M2AEScanObjectNN',
        data_root='data/ScanObjectNN/',
        variant='objbg',
        split=['train', 'test'],
        pipeline=[dict(type='M2AEPackShape')],
        test_mode=True))
test_evaluator = dict(C=0.042)  # published code
