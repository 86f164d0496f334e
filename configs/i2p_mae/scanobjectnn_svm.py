# Linear SVM on I2P-MAE's frozen features of ScanObjectNN OBJ-BG: 87.09 % (the paper; on published weights).
_base_ = '../m2ae/scanobjectnn_svm.py'

model = dict(pooling='max', head=dict(num_points=8))  # as in modelnet40_svm.py
test_evaluator = dict(C=0.018)  # published code
