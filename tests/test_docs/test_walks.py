"""README's predictions, command by command as they stand there."""
from importlib import import_module

import trimesh
from ends import tool
from matplotlib.image import imread
from pages import blocks, split, tool_call


def test_predictions_of_the_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tool('rooms', '--out', 'made', '--train', 0, '--val', 2, '--points', 6000, '--labels', 'csv')()
    first, second = sorted((tmp_path / 'made/scans').iterdir())
    (tmp_path / 'scans').mkdir()
    first.rename(tmp_path / 'flat.ply')
    second.rename(tmp_path / 'scans/room.ply')
    trimesh.creation.box((0.5, 0.4, 0.9)).export(tmp_path / 'chair.obj')
    for line in next(block for block in blocks('README.md', 'bash') if 'm2ae predict' in block).splitlines():
        for call in split(line):
            name, *arguments = tool_call(call)
            module = import_module(f'm2ae_mm.cli.{name}')
            module.main(module.parse_args(arguments))
    found = {path.name for path in (tmp_path / 'predictions').iterdir()}
    assert found == {'flat.html', 'flat.json', 'room.html', 'room.json', 'chair.npz', 'chair.png', 'flat.ply'}
    assert imread(tmp_path / 'predictions/chair.png').std() > 0.05
    assert 'flat' in capsys.readouterr().out
