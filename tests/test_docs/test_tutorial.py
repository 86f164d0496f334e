"""The notebook of the docs, run cell by cell."""
import json
from pathlib import Path

from matplotlib.image import imread

NOTEBOOK = Path(__file__).parents[2] / 'docs' / 'tutorial.ipynb'


def test_the_tutorial_gives_a_classifier_and_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for cell in json.loads(NOTEBOOK.read_text())['cells']:
        if cell['cell_type'] == 'code':
            exec(compile(''.join(cell['source']), str(NOTEBOOK), 'exec'), names)
    assert names['accuracy'] > 0.7 and len(names['test']) > 30  # chance is a sixth
    for picture in ('map.png', 'chair.png'):
        assert imread(tmp_path / picture).std() > 0.05
