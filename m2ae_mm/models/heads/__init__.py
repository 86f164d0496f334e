from .point_m2ae_cls_head import PointM2AEClsHead
from .point_m2ae_part_head import PointM2AEPartHead
from .point_m2ae_pretrain_head import PointM2AEPretrainHead
from .scene_seg_head import M2AESegHead
from .three_detr_head import ThreeDETRHead
from .vdetr_head import VDETRHead

__all__ = [
    'M2AESegHead', 'PointM2AEClsHead', 'PointM2AEPartHead', 'PointM2AEPretrainHead', 'ThreeDETRHead', 'VDETRHead'
]
