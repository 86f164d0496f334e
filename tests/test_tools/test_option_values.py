"""What is typed after --cfg-options arrives as it was meant."""
import pytest

from m2ae_mm.cli.option_values import parse_option, present_value

CONFIG = dict(
    load_from=None, radii=[0.4, 0.8], files=['ldraw.npz'], num_points=1024, fused=True, lr=1e-3, loss_scale='dynamic',
    data=dict(data_root='data/shapes/', cache_dir='data/cache', split='train', classes=None, prefix=('a', 'b')),
    pipeline=[dict(num_points=10, name='first')])


def value(key, text):
    return parse_option(f'{key}={text}', CONFIG)[1]


@pytest.mark.parametrize('path', [
    '/content/drive/My Drive/shapes/', '/data/scans, second floor/', '/data/a=b/c', 'C:\\scans, new', '/data/[old]/x',
    "/data/cat's, dog's", '/data/true', '../2024/', '[old] scans', '/a,b', '/data/(1)', ' with blanks ', '1,2/3', ''])
@pytest.mark.parametrize('key', ['data.data_root', 'data.cache_dir'])
def test_paths_arrive_as_typed(key, path):
    assert value(key, path) == path


@pytest.mark.parametrize('path', ['/runs/my run, best/epoch_3.pth', 'a, b.pth', "it's, mine.pth", 'epoch=3.pth',
                                  '/runs/[x], (y/z.pth', 'shapes_small'])
@pytest.mark.parametrize('key', ['load_from', 'model.backbone.init_cfg.checkpoint', 'data.new_dir'])
def test_paths_arrive_as_typed_where_the_config_has_none(key, path):
    assert value(key, path) == path


@pytest.mark.parametrize('text, expected', [
    ('[chair,dining table]', ['chair', 'dining table']),
    ('[ chair , dining  table ]', ['chair', 'dining  table']),
    ("['tables, chairs',lamp]", ['tables, chairs', 'lamp']),
    ('["a]",b]', ['a]', 'b']),
    ('[1,2,None]', ['1', '2', 'None']),
    ("[cat's bed,dog's]", ["cat's bed", "dog's"]),
    ('(crate)', ('crate', )),
    ('[shelf (low, wide),x]', ['shelf (low, wide)', 'x']),
    ('chair,dining table', ['chair', 'dining table']),
    ('[]', []),
    ('[crate,]', ['crate']),
    ('None', None),
    ('crate', 'crate'),  # no list: the data sets say so
])
@pytest.mark.parametrize('key', ['data.classes', 'val.dataset.metainfo.classes'])
def test_names_of_classes(key, text, expected):
    assert value(key, text) == expected


@pytest.mark.parametrize('key, text, expected', [
    ('num_points', '2048', 2048),
    ('lr', '1e-4', 1e-4),
    ('fused', 'False', False),
    ('new', 'true', True),
    ('new', '3', 3),
    ('new', 'word', 'word'),
    ('new', '', ''),
    ('radii', '[0.4, 0.8]', [0.4, 0.8]),
    ('radii', '0.4,0.8', [0.4, 0.8]),
    ('new', '1,2', [1, 2]),
    ('new', '(1,2)', (1, 2)),
    ('new', '[1,2],[3,4]', [[1, 2], [3, 4]]),
    ('new', '[(1,2),[a,b],c d]', [(1, 2), ['a', 'b'], 'c d']),
    ('new', '[true,None,1]', [True, None, 1]),
    ('files', 'a.npz,my b.npz', ['a.npz', 'my b.npz']),
    ('files', '[1.npz,2]', ['1.npz', '2']),
    ('files', 'a.npz', 'a.npz'),
    ('data.prefix', 'x,y', ['x', 'y']),
    ('data.split', '[train,test]', ['train', 'test']),
    ('data.split', 'train,test', ['train', 'test']),
    ('data.split', 'all', 'all'),
    ('loss_scale', '512.', 512.),
    ('data.data_root', 'None', None),
    ('data.data_root', '2024', '2024'),
    ('data.data_root', "'None'", 'None'),
    ('data.data_root', "'[a]'", '[a]'),
    ('data.data_root', '[a,b c]', ['a', 'b c']),
    ('pipeline.0.num_points', '5', 5),
    ('pipeline.0.name', 'second', 'second'),
])
def test_values_are_read_as_what_the_config_has(key, text, expected):
    found = value(key, text)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize('option, message', [
    ('lr', 'takes KEY=VALUE'), ('radii=[0.4,0.8', 'sets radii to .*in which .* has no counterpart'),
    ('data.classes=[smile :(,x]', 'no counterpart.*data.classes='), ("data.classes=['a,b]", 'no counterpart')])
def test_what_does_not_match_is_named(option, message):
    with pytest.raises(ValueError, match=message):
        parse_option(option, CONFIG)


def test_values_at_dotted_keys():
    assert present_value(CONFIG, 'pipeline.0.num_points') == 10
    for key in ('pipeline.1.num_points', 'pipeline.x', 'lr.x', 'nothing.at.all'):
        assert present_value(CONFIG, key) is None
