"""Commands that give results for files load what they need, and nothing is broken for what comes later."""
import json
import sys

import pytest
from starts import python

from m2ae_mm.cli.lean import UNUSED, LateCompiler, without

MODULES = {'heavy/__init__.py': 'value = 1', 'heavy/part.py': 'class Thing:\n    size = 3', 'light/__init__.py': '',
           'light/heavy.py': 'value = 2', 'light/user.py': 'import light.heavy as h\nfrom heavy.part import Thing\n'
                                                         'class Mine(Thing):\n    pass'}
# What a command does, and an import of all that it left out.
LATER = """
import importlib, json, sys
import m2ae_mm_start
sys.argv = ['m2ae', 'predict', '--models']
m2ae_mm_start.main()
loaded = [name for name in {unused} if name in sys.modules]
import torch
from m2ae_mm.ops import furthest_point_sample
furthest_point_sample(torch.rand(1, 50, 3), 5)
late = type(sys.modules['torch._dynamo']).__name__
doubled = torch.compile(lambda x: 2 * x, backend='eager')(torch.ones(2)).sum().item()
from torch.distributed import fsdp
from sklearn.svm import SVC
from matplotlib import pyplot
import trimesh
assert len(trimesh.creation.box().faces) == 12
print(json.dumps(dict(loaded=loaded, late=late, doubled=doubled,
                      real=[fsdp.FullyShardedDataParallel.__module__, SVC(C=2).C, pyplot.__file__])))
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition('.')[0] in ('heavy', 'light')]:
        del sys.modules[name]


def test_modules_are_empty_within_and_whole_afterwards(packages):
    finders = list(sys.meta_path)
    with without(['heavy', 'light.heavy']):
        import light.user
        assert not hasattr(light.user.Mine, 'size') and isinstance(light.user.h.value, type)
    assert sys.meta_path == finders and not {'heavy', 'heavy.part', 'light.heavy'} & sys.modules.keys()
    import heavy.part
    from light import heavy as other
    assert heavy.value == 1 and heavy.part.Thing.size == 3 and other.value == 2


def test_what_is_loaded_stays_and_errors_leave_nothing(packages):
    import heavy
    with pytest.raises(ZeroDivisionError), without(['heavy', 'light.heavy']):
        from light import heavy as other
        assert isinstance(other.value, type) and sys.modules['heavy'] is heavy
        raise ZeroDivisionError
    assert sys.modules['heavy'] is heavy and 'light.heavy' not in sys.modules


def test_a_compiler_comes_when_it_is_asked_for(packages, monkeypatch):
    for use in (lambda late: late.value, lambda late: __import__('heavy.part').value):
        for name in ('heavy', 'heavy.part'):
            sys.modules.pop(name, None)
        late = sys.modules['heavy'] = LateCompiler('heavy')
        assert late.disable(len, True, wrapping=False) is len and not hasattr(late, '__file__')
        assert sys.modules['heavy'] is late
        assert use(late) == 1 and sys.modules['heavy'] is not late


def test_a_command_leaves_out_what_it_does_not_use(tmp_path):
    done = python(tmp_path, '-c', LATER.replace('{unused}', repr(UNUSED)))
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found['loaded'] == [] and found['late'] == 'LateCompiler' and found['doubled'] == 4
    assert found['real'][0].startswith('torch.distributed.fsdp') and found['real'][1] == 2
    assert found['real'][2].endswith('pyplot.py') and 'rooms_det' in done.stdout
