"""S3DIS from raw text files to what mmdet3d's data set gives."""
import pickle

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from m2ae_mm.datasets.s3dis_raw import create_s3dis, summary
from mmdet3d.registry import DATASETS

FLOOR = np.array([[-1, 2, 3, 10, 20, 30], [1, 2, 3, 11, 21, 31]])
CHAIR = np.array([[0, 4, 3.5, 1, 2, 3]])
STAIRS = np.array([[0, 3, 4, 4, 5, 6], [0, 3, 5, 7, 8, 9]])


@pytest.fixture
def release(tmp_path):
    """Two areas with a room each; the first has a class outside the thirteen."""
    for area, things in dict(Area_1=dict(floor_1=FLOOR, chair_1=CHAIR, stairs_1=STAIRS),
                             Area_5=dict(floor_1=FLOOR)).items():
        folder = tmp_path / 'raw' / 'Stanford3dDataset_v1.2_Aligned_Version' / area / 'office_1' / 'Annotations'
        folder.mkdir(parents=True)
        for name, points in things.items():
            np.savetxt(folder / f'{name}.txt', points, '%.3f')
    return tmp_path


def test_rooms_are_those_computed_by_hand(release):
    areas = create_s3dis(release / 'raw', release / 'out', 1)
    out = release / 'out'
    points = np.fromfile(out / 'points' / 'Area_1_office_1.bin', '<f4').reshape(-1, 6)
    expected = np.concatenate([CHAIR, FLOOR, STAIRS]) - [-1, 2, 3, 0, 0, 0]
    np.testing.assert_allclose(points, expected)
    assert np.fromfile(out / 'semantic_mask' / 'Area_1_office_1.bin', '<i8').tolist() == [8, 1, 1, 12, 12]
    assert np.fromfile(out / 'instance_mask' / 'Area_1_office_1.bin', '<i8').tolist() == [1, 2, 2, 3, 3]
    assert summary(areas).splitlines()[-1].split() == ['clutter', '2', '0']
    before = (out / 'points' / 'Area_1_office_1.bin').stat().st_mtime_ns
    create_s3dis(release / 'raw', out, 1)
    assert (out / 'points' / 'Area_1_office_1.bin').stat().st_mtime_ns == before


def test_mmdet3d_loads_them(release):
    create_s3dis(release / 'raw', release / 'out', 1)
    init_default_scope('mmdet3d')
    steps = [dict(type='LoadPointsFromFile', coord_type='DEPTH', load_dim=6, use_dim=6),
             dict(type='LoadAnnotations3D', with_bbox_3d=False, with_label_3d=False, with_seg_3d=True),
             dict(type='M2AEMapLabels')]
    data = DATASETS.build(dict(
        type='S3DISSegDataset', data_root=str(release / 'out'), ann_files=['s3dis_infos_Area_1.pkl',
                                                                          's3dis_infos_Area_5.pkl'],
        metainfo=dict(classes=('ceiling', 'floor', 'wall', 'beam', 'column', 'window', 'door', 'table', 'chair', 'sofa',
                               'bookcase', 'board', 'clutter')),
        data_prefix=dict(pts='points', pts_semantic_mask='semantic_mask'), pipeline=steps,
        scene_idxs=[f'seg_info/Area_{i}_resampled_scene_idxs.npy' for i in (1, 5)]))
    assert len(data) == 2 and data[0]['pts_semantic_mask'].tolist() == [8, 1, 1, 12, 12]


@pytest.mark.parametrize('text', ['1 2 3 4 5', '1 2 3 4 5 \x10', '1 2 3 4 5 nan', ''])
def test_damaged_rooms_are_named_and_the_others_written(release, text):
    file = next((release / 'raw').rglob('chair_1.txt'))
    file.write_text(text)
    with pytest.raises(ValueError, match=r'unreadable: .*office_1 \(.*chair_1.txt'):
        create_s3dis(release / 'raw', release / 'out', 1)
    assert (release / 'out' / 'points' / 'Area_5_office_1.bin').is_file()
    assert not (release / 'out' / 's3dis_infos_Area_1.pkl').exists()


def test_what_is_not_there_is_named(release, tmp_path):
    with pytest.raises(FileNotFoundError, match='has none of Area_1 to Area_6'):
        create_s3dis(tmp_path / 'nowhere', tmp_path / 'out', 1)
    (release / 'raw' / 'Stanford3dDataset_v1.2_Aligned_Version' / 'Area_1' / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'missing: .*Area_1/empty/Annotations'):
        create_s3dis(release / 'raw', tmp_path / 'out', 1)


def test_annotation_files_hold_plain_values(release):
    create_s3dis(release / 'raw', release / 'out', 1)
    content = pickle.loads((release / 'out' / 's3dis_infos_Area_5.pkl').read_bytes())
    assert content['metainfo']['seg_categories']['clutter'] == 12
    assert content['data_list'][0]['lidar_points'] == dict(num_pts_feats=6, lidar_path='Area_5_office_1.bin')
