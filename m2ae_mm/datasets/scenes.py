"""Scenes with classes of one's own, in ScanNet's layout."""
from m2ae_mm.class_names import check_class_names
from mmdet3d.datasets import Det3DDataset, ScanNetDataset
from mmdet3d.registry import DATASETS
from mmdet3d.structures import DepthInstance3DBoxes


@DATASETS.register_module()
class M2AESceneDataset(ScanNetDataset):
    """mmdet3d's ``ScanNetDataset`` for any classes, with or without masks of points, and boxes with a yaw.

    ``ScanNetDataset`` knows its 18 classes only, and takes boxes of seven
    numbers for axis-aligned. Here ``metainfo=dict(classes=[...])`` lists all
    names in the order of the labels in the annotation file, and boxes of seven
    numbers turn with the scene. Entries need ``lidar_points`` and
    ``instances``; ``axis_align_matrix`` and the paths of masks may be absent.

    The options are those of ``ScanNetDataset``.
    """

    METAINFO: dict = {}

    def __init__(self, *args, metainfo: dict | None = None, **kwargs) -> None:
        classes = check_class_names((metainfo or {}).get('classes') or (), 'metainfo.classes')
        if not classes:
            raise ValueError('M2AESceneDataset needs the names of its classes: metainfo=dict(classes=[...]), in the '
                             'order of the labels.')
        # What the bases read of an instance; the class itself knows no names.
        numbers = tuple(range(1, len(classes) + 1))
        self.METAINFO = dict(classes=classes, seg_valid_class_ids=numbers, seg_all_class_ids=numbers)
        super().__init__(*args, metainfo=dict(metainfo, classes=classes), **kwargs)

    def parse_data_info(self, info: dict) -> dict:
        """See mmdet3d; what may be absent is filled in."""
        blank = dict(pts_instance_mask_path='', pts_semantic_mask_path='',
                     axis_align_matrix=[[float(i == j) for j in range(4)] for i in range(4)])
        return super().parse_data_info({**blank, **info})

    def parse_ann_info(self, info: dict) -> dict:
        """Boxes of seven numbers with their yaw; see mmdet3d for the rest."""
        found = Det3DDataset.parse_ann_info(self, info)
        if found is None:
            return super().parse_ann_info(info)
        boxes = found['gt_bboxes_3d']
        # Six numbers are boxes without a yaw to mmdet3d.
        found['gt_bboxes_3d'] = DepthInstance3DBoxes(
            boxes, box_dim=boxes.shape[-1], origin=(0.5, 0.5, 0.5)).convert_to(self.box_mode_3d)
        return found
