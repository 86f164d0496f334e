import os
import subprocess
import sys

from m2ae_mm.cli import tuning
from m2ae_mm.cli.tuning import variables_unset

# Without the package, which takes long to import.
PROGRAM = f'''
import os, runpy
runpy.run_path({tuning.__file__!r})['tune_process']()
print(os.environ['GOMP_SPINCOUNT'], os.environ['THP_MEM_ALLOC_ENABLE'])
'''


def test_what_the_user_set_stays():
    environment = {**os.environ, 'GOMP_SPINCOUNT': '7'}
    environment.pop('THP_MEM_ALLOC_ENABLE', None)
    done = subprocess.run([sys.executable, '-c', PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ['7', '1']


def test_variables_come_back(monkeypatch):
    monkeypatch.setenv('GOMP_SPINCOUNT', '7')
    with variables_unset():
        assert 'GOMP_SPINCOUNT' not in os.environ
    assert os.environ['GOMP_SPINCOUNT'] == '7'
