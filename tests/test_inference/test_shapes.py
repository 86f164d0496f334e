"""Classes, features, parts and reconstructions of files."""
import json

import numpy as np
import pytest
import torch
import trimesh
from runs import tiny_config

from m2ae_mm.cli import classify, embed, reconstruct
from m2ae_mm.datasets.io.ply import read_ply, vertices_of
from m2ae_mm.inference import (
    M2AEClassifyInferencer,
    M2AEEmbedInferencer,
    M2AEReconstructInferencer,
    M2AESegmentInferencer,
)
from mmdet3d.registry import MODELS

BALL = np.random.default_rng(0).normal(size=(3000, 3)) * [1, 0.6, 0.3]
QUIET = dict(device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def embedder():
    return M2AEEmbedInferencer(**QUIET)


def checkpoint(name, path, classes, **options):
    config = tiny_config(name, path.parent, **options)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict(),
                    meta=dict(cfg=config.pretty_text, dataset_meta=dict(classes=classes))), path)
    return path


def test_features_do_not_depend_on_place_size_and_up_axis_that_is_told(embedder):
    first, moved, standing = (each['feature'] for each in (
        *embedder([BALL, BALL * 40 + [5e5, 3, -2]])['predictions'],
        *embedder(BALL[:, [0, 2, 1]] * [1, 1, -1], up='y')['predictions']))
    assert first.shape == (256, ) and np.abs(first).max() > 0.1
    np.testing.assert_allclose(moved, first, atol=2e-3)
    np.testing.assert_allclose(standing, first, atol=2e-3)
    np.testing.assert_array_equal(first, embedder(BALL)['predictions'][0]['feature'])


def test_features_are_those_of_the_model(embedder):
    from m2ae_mm.datasets.transforms.points import normalize_unit_sphere
    points = np.random.default_rng(1).normal(size=(1024, 3)).astype(np.float32)
    entry = embedder.read(embedder._items(points)[0][0])
    given = entry.packed['inputs']['points'].numpy()
    assert len(given) in (1024, 2048)
    assert set(map(tuple, given)) == set(map(tuple, normalize_unit_sphere(points)))
    batch = embedder.model.data_preprocessor(dict(inputs=dict(points=[torch.from_numpy(given)]), data_samples=None))
    with torch.no_grad():
        expected = embedder.model.extract_feat(batch['inputs']['points'])[0]
    np.testing.assert_allclose(embedder(points)['predictions'][0]['feature'], expected, atol=1e-5)


def test_the_commands_take_files(tmp_path, capsys):
    trimesh.creation.icosphere(subdivisions=2).export(tmp_path / 'ball.ply')
    np.save(tmp_path / 'cloud.npy', BALL)
    (tmp_path / 'broken.off').write_text('OFF\n1')
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match='left out 1 of the inputs:\n .*broken.off'):
        embed.main(embed.parse_args([str(tmp_path), '--json', '--npz', '--out', str(out), '--device', 'cpu']))
    assert '256 numbers' in capsys.readouterr().out
    with np.load(out / 'cloud.npz') as file:
        stored = file['feature']
    np.testing.assert_allclose(json.loads((out / 'cloud.json').read_text())['feature'], stored)
    reconstruct.main(reconstruct.parse_args([str(tmp_path / 'ball.ply'), '--ply', '--png', '--html', '--json', '--out',
                                             str(out), '--device', 'cpu']))
    assert 'Chamfer distance' in capsys.readouterr().out
    elements = read_ply(out / 'ball.ply')
    radii = np.linalg.norm(vertices_of(elements)[elements['vertex']['reconstructed'] == 0], axis=1)
    np.testing.assert_allclose(radii, 1, atol=0.05)  # the ball has flat faces
    assert {path.name for path in out.iterdir()} >= {'ball.png', 'ball.html', 'ball.json'}
    with pytest.raises(ValueError, match='no weights for classification come with the package'):
        classify.main(classify.parse_args([str(tmp_path / 'ball.ply')]))


def test_reconstructions_are_always_alike():
    inferencer = M2AEReconstructInferencer(**QUIET)
    first, again = inferencer([BALL, BALL], batch_size=1)['predictions']
    np.testing.assert_array_equal(first['visible'], again['visible'])
    assert 0 < first['loss'] < 0.2 and len(first['visible']) < len(first['points'])
    less = inferencer(BALL, mask_ratio=0.95)['predictions'][0]
    assert len(less['visible']) < 0.8 * len(first['visible'])
    np.testing.assert_array_equal(inferencer(BALL)['predictions'][0]['visible'], first['visible'])
    with pytest.raises(ValueError, match='at least 0 and less than 1, got 1.0; shapes_small was trained with 0.8'):
        inferencer(BALL, mask_ratio=1.)


def test_an_encoder_without_decoder_gives_features_only():
    assert M2AEEmbedInferencer('shapes', **QUIET)(BALL)['predictions'][0]['feature'].shape == (384, )
    message = "'shapes' is a PointM2AEProbe, which m2ae reconstruct cannot use; it is for m2ae embed"
    with pytest.raises(ValueError, match=message):
        M2AEReconstructInferencer('shapes', **QUIET)


def test_classes_by_name(tmp_path):
    names = ['ball', 'box', 'cone', 'disc']
    path = checkpoint('folder_cls.py', tmp_path / 'cls.pth', names, **{'model.head.num_classes': 4})
    inferencer = M2AEClassifyInferencer(path, **QUIET)
    found, = inferencer(BALL, out_dir=tmp_path / 'out')['predictions']
    assert found['class_name'] == names[found['label']] and found['scores'].sum() == pytest.approx(1, abs=1e-5)
    assert json.loads((tmp_path / 'out/array_00000.json').read_text())['scores'].keys() == set(names)
    feature = M2AEEmbedInferencer(path, **QUIET)(BALL)['predictions'][0]['feature']
    assert feature.ndim == 1 and np.isfinite(feature).all()
    with pytest.raises(ValueError, match='it is for m2ae classify or m2ae embed'):
        M2AESegmentInferencer(path, **QUIET)


def test_parts_of_all_points(tmp_path):
    path = checkpoint('labeled_parts_seg.py', tmp_path / 'seg.pth', [f'kind {i}' for i in range(17)])
    inferencer = M2AESegmentInferencer(path, **QUIET)
    found, = inferencer(BALL, category='kind 3', out_dir=tmp_path / 'out')['predictions']
    assert found['parts'].shape == (3000, ) and found['parts'].max() < 83
    np.testing.assert_allclose(found['points'], BALL, atol=1e-5)
    elements = read_ply(tmp_path / 'out/array_00000.ply')
    np.testing.assert_array_equal(elements['vertex']['part'], found['parts'])
    np.testing.assert_array_equal(inferencer(BALL, category=3)['predictions'][0]['parts'], found['parts'])
    with pytest.raises(ValueError, match='needs the category .* one of kind 0, kind 1.*; got None'):
        inferencer(BALL)


@pytest.mark.parametrize('bad, message', [
    (BALL[:5], 'it has 5 points, and a shape needs 32'), (BALL * 0, 'all of its points are in one place'),
    (BALL * np.nan, 'all 3000 points hold NaN'), (BALL[:, :2], r'an array of shape \(3000, 2\)'),
])
def test_what_can_be_no_shape_is_refused(embedder, bad, message):
    with pytest.raises(ValueError, match=message):
        embedder(bad)
