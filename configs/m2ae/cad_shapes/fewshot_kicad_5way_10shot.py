# Few-shot classification of kicad with merged connector classes; episodes are drawn with a seed.
# tools/fewshot.py configs/m2ae/cad_shapes/fewshot_kicad_5way_10shot.py --checkpoint PRETRAINED.pth
_base_ = '../modelnet40_fewshot_5way_10shot.py'

source = dict(
    _delete_=True,
    type='M2AEShapesNpz',
    data_root='data/cad_shapes/',
    files=['kicad.npz'],
    label_key='label_coarse',
    labelled_only=True)
# No published episodes lie there, so all are drawn.
episodes = 'data/cad_shapes/'
train_dataloader = dict(dataset=dict(source=source, data_root=episodes))
val_dataloader = dict(dataset=dict(source=source, data_root=episodes))
test_dataloader = val_dataloader
