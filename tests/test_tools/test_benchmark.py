"""The benchmark: the baseline is the same model as ours, floors and percentiles are right, every row is reported."""
import json
import time
from pathlib import Path

import pytest
import torch
from processes import FORKED, in_fresh_process
from runs import shrink_model

from m2ae_mm.models.layers.scales_and_masks import back_project_mask
from mmdet3d.registry import MODELS


def copy_weights(ours, plain):
    """Ours into the baseline: same names, 1x1 convolutions for some linear layers."""
    target = plain.state_dict()
    weights = {name if name in target else name.removeprefix('head.'): weight
               for name, weight in ours.state_dict().items()}
    plain.load_state_dict({name: weight.view_as(target[name]) for name, weight in weights.items() if name in target})


def randomized(model):
    """Weights that leave nothing at 0, so that each counts."""
    torch.manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if name.endswith('var') else 0.3 * torch.randn_like(value))
    return model.eval()


def tiny(name):
    from m2ae_mm.cli.bench.models import read_config
    config = read_config(name).model
    shrink_model(config)
    # Exact distances below 26 points: above, cdist takes a faster and coarser way.
    config.backbone.num_centers = [20, 12, 6]
    return config


# --- the baseline


def test_plain_pretraining_has_our_loss_and_gradients():
    from m2ae_mm.cli.bench.inputs import shape_clouds
    from m2ae_mm.cli.bench.plain_tasks import PlainPointM2AE
    config = tiny('m2ae/shapenet_pretrain.py')
    ours, plain = randomized(MODELS.build(config)), PlainPointM2AE(config).eval()
    copy_weights(ours, plain)
    points = shape_clouds(3, 25, seed=1)
    scales = ours.backbone.build_scales(points)
    top = torch.tensor([[True] * 4 + [False] * 2, [False] + [True] * 5, [False, True] * 3])
    loss = ours.head.loss(ours.reconstruct(points, scales, back_project_mask(top, scales)))['loss_chamfer']
    loss_plain = plain(points, top)
    torch.testing.assert_close(loss_plain, loss, rtol=1e-4, atol=0)
    loss.backward()
    loss_plain.backward()
    gradients = {name: weight.grad for name, weight in ours.named_parameters()}
    for name, weight in plain.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad.view_as(gradients[name]), gradients[name], rtol=1e-3, atol=1e-4)


def test_plain_features_are_ours():
    from m2ae_mm.cli.bench.inputs import shape_clouds
    from m2ae_mm.cli.bench.plain_tasks import PlainFeatures
    config = tiny('m2ae/shapenet_pretrain.py')
    ours, plain = randomized(MODELS.build(config)), PlainFeatures(config).eval()
    copy_weights(ours, plain)
    points = shape_clouds(2, 25, seed=2)
    torch.testing.assert_close(plain(points), ours.extract_feat(points), rtol=1e-4, atol=1e-4)


def test_plain_classifier_has_our_loss():
    from m2ae_mm.cli.bench.inputs import shape_clouds
    from m2ae_mm.cli.bench.plain_tasks import PlainClassifier
    config = tiny('m2ae/modelnet40_cls.py')
    config.head.label_smoothing = 0.  # spread over other classes than PyTorch does
    ours, plain = randomized(MODELS.build(config)), PlainClassifier(config).eval()
    copy_weights(ours, plain)
    points, labels = shape_clouds(3, 25, seed=3), torch.tensor([0, 7, 39])
    loss = ours.head.loss(ours.classify(points), labels)['loss_cls']
    torch.testing.assert_close(plain(points, labels), loss, rtol=1e-4, atol=1e-5)


# --- floors and percentiles


def test_floor_of_a_product_forward_and_backward():
    from m2ae_mm.cli.bench.floors import floor_of
    from m2ae_mm.cli.bench.work import Floor, Work
    layer, x = torch.nn.Linear(5, 7, bias=False), torch.rand(3, 5)
    work = Work(lambda: layer(x).sum().backward(), 3, inputs=[x], module=layer, trains=True)
    # Forward and the gradient of the weight: 2 * 3 * 5 * 7 each. x is read, written for and read by the backward
    # pass; 35 weights are passed over ten times. float32.
    assert floor_of(work) == Floor(2 * 2 * 3 * 5 * 7, 4 * (15 + 10 * 35 + 2 * 15))


def test_attention_counts_as_its_two_products():
    from m2ae_mm.cli.bench.floors import count
    q, k, v = torch.rand(3, 2, 4, 6, 8)  # 2 clouds, 4 heads, 6 tokens, 8 channels
    flops, _, _ = count(lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v))
    assert flops == 2 * (2 * 2 * 4 * 6 * 6 * 8)


def test_floor_is_the_longer_of_computing_and_moving():
    from m2ae_mm.cli.bench.floors import Peaks
    from m2ae_mm.cli.bench.work import Floor
    peaks = Peaks(dict(fp32=2., bf16=8.), gbs=100.)
    assert peaks.milliseconds(Floor(4e9, 1e8), 'fp32') == 2  # 4 GFLOP at 2 TFLOP/s
    assert peaks.milliseconds(Floor(4e9, 1e8), 'bf16') == 1  # 0.1 GB at 100 GB/s


def test_percentiles():
    from m2ae_mm.cli.bench.timing import summarize
    assert summarize([11, 1, 3, 5, 7, 9]) == (6, 2, 10, 6)


def test_at_least_three_calls_and_at_most_the_wanted_ones():
    from m2ae_mm.cli.bench.timing import time_calls
    assert len(time_calls(int, 'cpu', repeats=50, seconds=0)) == 3
    assert len(time_calls(int, 'cpu', repeats=2, seconds=60)) == 2


def memory_of_64_mib():
    from m2ae_mm.cli.bench.timing import memory_since, start_memory
    torch.ones(1000).sum()  # a forked process maps the libraries' pages as it comes to them
    memory_since(start_memory('cpu'), 'cpu')
    start = start_memory('cpu')
    held = torch.ones(16 * 2**20)  # noqa: F841
    return memory_since(start, 'cpu')


def test_memory_is_what_calls_allocate():
    if not Path('/proc/self/status').is_file():
        pytest.skip('the system does not say')
    # A fresh process: what the tests before have freed here may be used again.
    assert 60 * 2**20 < in_fresh_process(memory_of_64_mib) < 80 * 2**20


# --- rows


def test_speed_up_is_over_the_same_case_only():
    from m2ae_mm.cli.bench.report import speed_up
    row = dict(case='a', precision='fp32', compiled=False, batch=2, variant='ours', samples_per_second=12.)
    plain = dict(row, variant='plain', samples_per_second=4.)
    assert speed_up(row, [dict(plain, precision='bf16'), plain]) == 3
    assert speed_up(row, [dict(plain, compiled=True), dict(plain, batch=4), dict(plain, error='died')]) is None
    assert speed_up(plain, [plain]) is None
    assert speed_up(dict(plain, variant='plain+tuned', samples_per_second=6.), [plain]) == 1.5


@pytest.fixture
def quick_start(monkeypatch):
    """Rows are measured in processes that need not import the package first."""
    from m2ae_mm.cli.bench import rows
    monkeypatch.setattr(rows.multiprocessing, 'get_context', lambda method: FORKED)


def test_a_failed_row_says_so_in_one_line(quick_start):
    from m2ae_mm.cli.bench.report import line
    from m2ae_mm.cli.bench.rows import in_child
    with pytest.raises(RuntimeError, match='^a wrong thing$') as error:
        in_child(fail)
    text = line(dict(case='pretrain step', variant='ours', precision='fp32', compiled=True, batch=8,
                     error=str(error.value)))
    assert text.endswith('not measured: a wrong thing') and 'fp32+comp' in text


def test_a_row_that_takes_too_long_is_given_up():
    from m2ae_mm.cli.bench.rows import in_child
    with pytest.raises(RuntimeError, match='^gave up after 1 s$'):
        in_child(time.sleep, 60, limit=1)


def settings():
    import os
    return os.environ.get('THP_MEM_ALLOC_ENABLE'), os.environ.get('GOMP_SPINCOUNT')


def test_a_bare_process_is_as_it_comes(monkeypatch):
    from m2ae_mm.cli.bench.rows import in_child
    monkeypatch.setenv('THP_MEM_ALLOC_ENABLE', '1')
    monkeypatch.setenv('GOMP_SPINCOUNT', '5')
    assert in_child(settings) == ('1', '5') and in_child(settings, bare=True) == (None, None)
    assert settings() == ('1', '5')


def fail():
    raise ValueError('a wrong thing')


def test_every_case_is_compared_with_a_baseline_of_its_title():
    from m2ae_mm.cli.bench.cases import CASES
    cases = sum(CASES.values(), [])
    assert len({(case.title, case.variant) for case in cases}) == len(cases)
    ours = {case.title for case in cases if case.variant == 'ours'}
    assert {case.title for case in cases if case.variant != 'ours'} <= ours


def test_the_tool_prints_and_writes_every_row(tmp_path, capsys, quick_start, monkeypatch):
    from m2ae_mm.cli import benchmark
    monkeypatch.setattr(benchmark, 'tune_process', lambda: None)
    out = tmp_path / 'rows.json'
    benchmark.main(benchmark.parse_args([
        '--cases', 'chamfer', 'data', '--batch', '2', '--repeats', '3', '--peak-tflops', 'fp32=2', '--peak-gbs', '100',
        '--json', str(out)]))
    printed = capsys.readouterr().out
    result = json.loads(out.read_text())
    rows = result['rows']
    assert [(row['case'], row['variant']) for row in rows] == [
        ('chamfer 16 to 8 points', 'reference'), ('chamfer 16 to 8 points', 'ours'), ('data ShapeNet55', 'ours'),
        ('data pack', 'ours'), ('data rooms', 'ours')]
    assert not any('error' in row for row in rows)
    assert rows[1]['speed_up'] == rows[1]['samples_per_second'] / rows[0]['samples_per_second']
    assert all(row['calls'] == 3 and row['ms_10'] <= row['ms'] <= row['ms_90'] for row in rows)
    # 2 clouds of 161 groups: 8 operations for each of 16 x 8 pairs.
    assert rows[0]['flops'] == 8 * 2 * 161 * 16 * 8
    # Files of 8,192 float32 points with numpy's header of 128 bytes.
    assert rows[2]['moved_bytes'] == 2 * (8192 * 3 * 4 + 128)
    assert all(row['floor_ms'] == max(row['flops'] / 2e9, row['moved_bytes'] / 1e8) for row in rows)
    assert all(row['case'] in printed for row in rows)


@pytest.mark.parametrize('options, message', [
    (['--batch', '0'], '--batch must be above 0, got 0'),
    (['--json', 'no/such/rows.json'], 'there is no folder'),
])
def test_options_that_measure_nothing_are_refused(options, message):
    from m2ae_mm.cli import benchmark
    with pytest.raises(ValueError, match=message):
        benchmark.check(benchmark.parse_args(options))
