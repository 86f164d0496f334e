import pytest
from mmengine.config import Config

from m2ae_mm.engine import check_data


def config(root, **wrap):
    dataset = dict(type='ScanNetDataset', data_root=f'{root}/', ann_file='infos.pkl')
    return Config(dict(train_dataloader=dict(dataset=dict(wrap, dataset=dataset) if wrap else dataset)))


def test_message_says_how_to_name_the_folder_of_a_wrapped_data_set(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        check_data(config(tmp_path, type='RepeatDataset', times=2), ['train_dataloader'])
    assert f'{tmp_path}/infos.pkl' in str(error.value)
    assert '--data /path/to/scannet' in str(error.value) and 'm2ae rooms --out data/rooms' in str(error.value)


def test_every_data_set_of_a_concatenation_is_checked(tmp_path):
    (tmp_path / 'infos.pkl').touch()
    both = config(tmp_path).train_dataloader.dataset, dict(type='M2AEOther', data_root='nowhere', ann_file='list.txt')
    joined = Config(dict(train_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=both))))
    with pytest.raises(FileNotFoundError, match=r"nowhere/list.txt.*datasets.1.data_root"):
        check_data(joined, ['train_dataloader'])
