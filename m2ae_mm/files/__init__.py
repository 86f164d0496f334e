"""Files: written whole or not at all, names that stay in their folder, arrays as large as their file."""
from .arrays import load_array, load_arrays, most_bytes
from .replacing import DiskFullError, is_disk_full, locked, remove_parts, replacing, write_bytes, write_json, write_text
from .texts import inside, read_json, read_text

__all__ = [
    'DiskFullError', 'inside', 'is_disk_full', 'load_array', 'load_arrays', 'locked', 'most_bytes', 'read_json',
    'read_text', 'remove_parts', 'replacing', 'write_bytes', 'write_json', 'write_text'
]
