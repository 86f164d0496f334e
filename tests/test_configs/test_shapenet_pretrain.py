from runs import TINY_DECODER, TINY_ENCODER, run_config, tiny_config
from shapes import write_shapenet55


def test_trains_resumes_and_evaluates(tmp_path):
    root = str(write_shapenet55(tmp_path / 'data', num_train=8))
    options = {**TINY_ENCODER, **TINY_DECODER}
    for loader in ('train', 'val', 'test'):
        options[f'{loader}_dataloader.dataset.data_root'] = root
    config = tiny_config('shapenet_pretrain.py', tmp_path / 'work', **options)
    runner = run_config(config, resume_to=2)
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert 0 < losses[-1] < 1
    assert 0 < runner.message_hub.get_scalar('val/reconstruction/chamfer').current() < 1
    # Warm-up from 1e-6 over the first 10 of 300 epochs.
    rates = runner.message_hub.get_scalar('train/lr').data[0]
    assert 1e-6 <= rates[0] < rates[-1] < 1e-3


def test_follows_the_paper():
    config = tiny_config('shapenet_pretrain.py', 'unused')
    assert config.optim_wrapper.optimizer.lr == 1e-3
    assert config.model.backbone.radii is None
