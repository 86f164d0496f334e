# Linear SVM on I2P-MAE's frozen features of ModelNet40: 93.35 % (the paper; on published weights).
# tools/test.py configs/i2p_mae/modelnet40_svm.py PRETRAINED.pth
_base_ = '../m2ae/modelnet40_svm.py'

# The feature is the maximum over the tokens (published code), where Point-M2AE adds the mean.
model = dict(pooling='max', head=dict(num_points=8))
test_evaluator = dict(C=0.0093)  # published code
