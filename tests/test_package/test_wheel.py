"""The built package: what it holds, and that it works where it is installed.

``pytest -m wheel`` also installs it with all it needs into an empty environment: minutes, and a package index.
"""
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from mmengine.fileio import load

ROOT = Path(__file__).resolve().parents[2]
MIM = ROOT / 'm2ae_mm' / '.mim'
SHAPES = ('free_shapes.npz', 'classes.json', 'CREDITS.tsv', 'NOTICE.md')
SOURCES = ('m2ae_mm', 'configs', 'projects', 'tools', 'pyproject.toml', 'README.md', 'LICENSE')


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of what packages are built from: building leaves files behind."""
    folder = tmp_path_factory.mktemp('source')
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def build(source, out, kind, hook):
    """A wheel or source package, by setuptools as pip calls it, in a folder of its own."""
    code = f'import setuptools.build_meta as build; print(build.{hook}({str(out)!r}))'
    done = subprocess.run([sys.executable, '-c', code], cwd=source, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return next(Path(out).glob(kind))


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    return build(source, tmp_path_factory.mktemp('wheel'), '*.whl', 'build_wheel')


def test_wheel_holds_configs_projects_and_tools_in_mmdet3ds_place(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ('configs', 'projects'):
        wanted = {path.relative_to(ROOT) for path in (ROOT / folder).rglob('*') if path.suffix in ('.py', '.yml')}
        assert wanted and {f'm2ae_mm/.mim/{path}' for path in wanted} <= names
    assert {f'm2ae_mm/.mim/tools/{path.name}' for path in (ROOT / 'tools').glob('*.*')} <= names
    assert {'m2ae_mm.pth', 'm2ae_mm_start/__init__.py', 'm2ae_mm/weights/shapes_small.safetensors',
            'm2ae_mm/.mim/model-index.yml', *(f'm2ae_mm/assets/free_shapes/{name}' for name in SHAPES)} <= names
    assert wheel.stat().st_size < 45e6
    assert not any('/dev/' in name or '__pycache__' in name for name in names)


def test_a_wheel_from_the_source_package_is_the_same(source, wheel, tmp_path):
    packed = build(source, tmp_path, '*.tar.gz', 'build_sdist')
    with tarfile.open(packed) as file:
        file.extractall(tmp_path, filter='data')
    again = build(packed.parent / packed.name.removesuffix('.tar.gz'), tmp_path / 'again', '*.whl', 'build_wheel')
    assert set(zipfile.ZipFile(again).namelist()) == set(zipfile.ZipFile(wheel).namelist())


def test_an_editable_install_starts_alike(source, tmp_path):
    wheel = build(source, tmp_path, '*.whl', 'build_editable')
    content = zipfile.ZipFile(wheel)
    assert content.read('m2ae_mm.pth') == (ROOT / 'tools' / 'm2ae_mm_start' / 'm2ae_mm.pth').read_bytes()
    finder = next(name for name in content.namelist() if name.endswith('finder.py'))
    assert f"'m2ae_mm_start': '{source}/tools/m2ae_mm_start'" in content.read(finder).decode()


def test_every_config_has_an_entry_and_every_entry_a_config():
    for index in load(MIM / 'model-index.yml')['Import']:
        listed = [model['Config'] for model in load(MIM / index)['Models']]
        there = {str(path.relative_to(ROOT)) for path in (ROOT / index).parent.rglob('*.py')}
        assert len(listed) == len(there) and set(listed) == there
    families = {str(path.relative_to(ROOT).parent) for top in ('configs', 'projects')
                for path in (ROOT / top).rglob('metafile.yml')}
    assert families == {str(Path(index).parent) for index in load(MIM / 'model-index.yml')['Import']}


@pytest.mark.wheel
def test_a_new_environment(wheel, tmp_path):
    """As the README has it, from another folder, with the versions of constraints.txt."""
    subprocess.run([sys.executable, '-m', 'venv', tmp_path / 'env'], check=True)
    variables = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}

    def call(program, *arguments):
        done = subprocess.run([tmp_path / 'env' / 'bin' / program, *map(str, arguments)], cwd=tmp_path, text=True,
                              capture_output=True, env=variables)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    pins = ('-c', ROOT / 'constraints.txt')
    call('pip', 'install', *pins, 'setuptools', 'wheel')
    call('pip', 'install', *pins, 'torch')
    call('pip', 'install', *pins, f'{wheel}[lite]')
    told = call('m2ae', 'info')
    assert 'mmdet3d can be imported on its own' in told and str(tmp_path / 'env') in told
    call('m2ae', 'rooms', '--out', 'rooms', '--train', 4, '--val', 2)
    (tmp_path / 'mine.py').write_text("_base_ = 'm2ae_mm::vdetr/vdetr-m2ae_rooms.py'\n")
    assert 'mAP_0.25' in call('m2ae', 'train', 'mine.py', '--data', 'rooms', '--epochs', 1)
    site = next((tmp_path / 'env').glob('lib/*/site-packages'))
    root = ['--cfg-options', f'test_dataloader.dataset.data_root={tmp_path}/rooms/']
    for tools in ('mmdet3d', 'm2ae_mm'):
        told = call('python', site / tools / '.mim' / 'tools' / 'test.py', 'mine.py', 'rooms_det', *root)
        assert 'mAP_0.25' in told
