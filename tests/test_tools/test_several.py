"""The table of several trainings, which processes and machines that share its folder write."""
import time
from concurrent.futures import ThreadPoolExecutor

from m2ae_mm.cli import several


def test_what_others_add_to_a_table_meanwhile_stays(tmp_path, monkeypatch):
    table, names, read = tmp_path / 'areas.json', [str(number) for number in range(12)], several.read_table

    def slowly(*args):
        found = read(*args)
        time.sleep(0.03)
        return found

    monkeypatch.setattr(several, 'read_table', slowly)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: several.run_missing(table, [name], int, lambda _, value: value), names))
    assert read(table, lambda _, value: value) == {name: int(name) for name in names}
