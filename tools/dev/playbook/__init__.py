"""The stages of tools/dev/gpu_playbook.py, one file each."""
