# Linear SVM on frozen features, sweethome3d (28 classes), 1,024 points, train -> test.
# tools/test.py configs/m2ae/cad_shapes/svm_sweethome3d.py PRETRAINED.pth
_base_ = './svm_kicad.py'

test_dataloader = dict(dataset=dict(files=['sweethome3d.npz']))
