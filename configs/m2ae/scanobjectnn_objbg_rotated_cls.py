# Classification on ScanObjectNN OBJ-BG with "simple rotational augmentation", the recipe of the field since ACT
# (Dong et al., ICLR 2023): every cloud is turned about the axis that points up, y, by any angle of its own, in place of
# scaling and shifting. The numbers are those of PointMamba's tools/runner_finetune.py, whose authors use it on all
# three variants. Figures with and without it do not compare: on PB-T50-RS others report 88.1 % with it for Point-M2AE,
# which has 86.43 % without.
_base_ = './scanobjectnn_objbg_cls.py'

model = dict(data_preprocessor=dict(train_transforms=[dict(type='M2AEBatchRotate', axis=1)]))
