# Linear SVM on frozen features, ldraw (55 classes), 1,024 points, train -> test.
# tools/test.py configs/m2ae/cad_shapes/svm_ldraw.py PRETRAINED.pth
_base_ = './svm_kicad.py'

test_dataloader = dict(dataset=dict(files=['ldraw.npz']))
