"""The class of each point of a scan, by the weights that come with the package."""
import numpy as np
import pytest

from m2ae_mm.cli import segment
from m2ae_mm.datasets.rooms.scene import compose_scene
from m2ae_mm.datasets.scan_frame import UNITS
from m2ae_mm.datasets.scannet_layout import NYU40
from m2ae_mm.datasets.scene_geometry import TO_Z_UP
from m2ae_mm.inference import M2AESceneSegInferencer


def test_scans_need_no_training(tmp_path, capsys):
    room = compose_scene('val', 0, seed=7)
    recorded = room.points[:, :3].astype(np.float64) @ TO_Z_UP['y'] / UNITS['cm'] + [500, 0, 30]
    np.save(tmp_path / 'room.npy', recorded)
    segment.main(segment.parse_args([str(tmp_path / 'room.npy'), '--npz', '--out', str(tmp_path), '--device', 'cpu']))
    said = capsys.readouterr().out
    assert f'{len(recorded)} points (wall: ' in said and '1 done by rooms_seg' in said
    with np.load(tmp_path / 'room.npz') as found:
        values = np.array([NYU40[name] for name in found['classes']])
        np.testing.assert_allclose(found['points'], recorded)
        right = values[found['labels']] == room.semantic
    scored = np.isin(room.semantic, values)
    assert right[scored].mean() > 0.6 and right[room.semantic == NYU40['floor']].mean() > 0.8
    furniture = scored & ~np.isin(room.semantic, [NYU40['floor'], NYU40['wall']])
    assert furniture.sum() > 500 and right[furniture].mean() > 0.2


def test_a_category_is_for_shapes():
    with pytest.raises(ValueError, match="'rooms_seg' tells the classes of points of scenes. Leave it out, or give a"):
        segment.main(segment.parse_args(['chair.obj', '--category', 'Chair']))


def test_weights_of_other_tasks_are_refused():
    with pytest.raises(ValueError, match="'rooms_det' is a ThreeDETR, which m2ae segment cannot use"):
        M2AESceneSegInferencer('rooms_det', device='cpu')
