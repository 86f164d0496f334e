"""The 40 classes that ScanNet's semantic masks number, as in NYU Depth V2."""
from types import MappingProxyType

# Of the twenty that are segmented and the eighteen that are detected, mmdet3d's spelling.
_NAMES = ('wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture',
          'counter', 'blinds', 'desk', 'shelves', 'curtain', 'dresser', 'pillow', 'mirror', 'floor mat', 'clothes',
          'ceiling', 'books', 'refrigerator', 'television', 'paper', 'towel', 'showercurtrain', 'box', 'whiteboard',
          'person', 'night stand', 'toilet', 'sink', 'lamp', 'bathtub', 'bag', 'otherstructure', 'otherfurniture',
          'otherprop')
NYU40 = MappingProxyType({name: number for number, name in enumerate(_NAMES, 1)})
# What the semantic masks of a data set mean: the entry of an annotation file's metainfo, class to value.
MASK_VALUES = 'seg_categories'
