# Few-shot classification of ldraw; episodes are drawn with a seed.
_base_ = './fewshot_kicad_5way_10shot.py'

source = dict(files=['ldraw.npz'], label_key='label')
train_dataloader = dict(dataset=dict(source=source))
val_dataloader = dict(dataset=dict(source=source))
test_dataloader = val_dataloader
