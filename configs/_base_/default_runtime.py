# What every run shares.
custom_imports = dict(imports=['m2ae_mm'], allow_failed_imports=False)
default_scope = 'mmdet3d'
runner_type = 'M2AERunner'  # mmdet3d's own tools make the checks of ours

default_hooks = dict(
    runtime_info=dict(type='M2AERuntimeInfoHook'),  # mmengine's would wait for the GPU in every iteration
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='M2AECheckpointHook', interval=10, max_keep_ckpts=3),
    keeping=dict(type='M2AEKeepingHook'),  # exact resumes, orderly ends, broken steps left out
    graphs=dict(type='M2AEGraphsHook'),
    memory=dict(type='M2AEMemoryHook'),  # a training on a CPU would grow
    sampler_seed=dict(type='DistSamplerSeedHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))  # without CUDA, tools/train.py uses gloo instead

randomness = dict(seed=0)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
