"""Generated code on disk: found again by another process, refused where anything about it is not as it should be."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

import agnograd as ag
from agnograd.compiler import cache, drafts

# Large numbers, as which they would be seen in a file.
X = np.asarray([0.123456789, 0.987654321, 0.5])
SCRIPT = """
import numpy as np
import agnograd as ag
from test_cache import X, chain
value, gradient = ag.compile(ag.value_and_grad(chain))(X)
print(repr((float(value), gradient.tolist())))
"""


def chain(x):
    y = x
    for _ in range(40):
        y = ag.tanh(ag.sin(y * x) + 0.25)
    return ag.sum(y[1:] * y[:-1])


def make(f=chain, **options):
    return ag.compile(ag.value_and_grad(f), **options)


def is_hit(compiled):
    return any(note.startswith("code from ") for code in compiled.codes() for note in code.notes)


def hit(f=chain, x=X, **options):
    """Whether a function made anew finds its code; its results are those of the function, bit for bit."""
    compiled = make(f, **options)
    for _ in range(2):
        value, gradient = compiled(x)
        expected, slopes = make(f, **options).f(x)
        same = np.testing.assert_allclose if options.get("native") else np.testing.assert_array_equal
        same(value, expected)
        same(gradient, slopes)
    return is_hit(compiled)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    found = tmp_path / "programs"
    monkeypatch.delenv("AGNOGRAD_CACHE", raising=False)
    monkeypatch.setenv("AGNOGRAD_CACHE_DIR", str(found))
    return found


def files(directory):
    return [path for path in directory.iterdir() if path.name != "key"]


def rewritten(directory, change):
    """Change what a file holds, and sign it as its owner would."""
    (path,) = files(directory)
    data = json.loads(path.read_bytes().partition(b"\n")[2])
    change(data)
    body = json.dumps(data).encode()
    path.write_bytes(cache._signature((directory / "key").read_bytes(), path.name, body) + b"\n" + body)


def test_other_processes_find_it(directory):
    # Two at the same time, and then this one.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    both = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    texts = {process.communicate(timeout=120)[0].strip() for process in both}
    value, gradient = make().f(X)
    assert texts == {repr((float(value), gradient.tolist()))}
    assert len(files(directory)) == 1
    assert hit()


def test_what_is_on_disk(directory):
    assert not hit()
    (path,) = files(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in directory.iterdir()} == {0o600}
    text = path.read_text()
    assert "def program(" in text
    # Neither elements of arguments, in any form, nor results.
    value, gradient = make()(X)
    for number in (*X[:2], value, *gradient):
        assert repr(float(number))[:8] not in text
        assert float(number).hex() not in text


def test_values_that_became_part_of_a_program_are_not_kept(directory):
    def branching(x):
        return chain(x) * ag.sum(x).item() if x[0] > 0 else chain(x)

    table = type("Table", (), {"x": np.asarray(0.123456789)})
    assert not hit(branching)
    assert not hit(lambda x: chain(x) * table.x)
    assert not directory.exists() or not files(directory)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: chain(x) + ag.sum(ag.eye(3) @ x) + ag.sum(ag.minimum(x, ag.inf) * ag.arange(3)),
        lambda x: chain(x) + ag.sum(ag.linalg.solve(ag.eye(3) + 0.1 * x[:, None], ag.stack([x, x], axis=1))),
        lambda x: chain(x) + ag.sum(ag.concat([ag.astype(x, ag.float32), ag.astype(x[::-1], ag.float32)]) ** 2),
        lambda x: chain(x) + ag.sum(ag.cumulative_sum(ag.broadcast_to(x, (4, 3)), axis=0)[..., 1] * 3),
        lambda x: sum([ag.sum(x[i : i + 1] * x[0]) for i in range(3)]) + chain(x) + ag.max(ag.take(x, ag.arange(2))),
    ],
    ids=["made", "linalg", "float32", "cumulative", "parts"],
)
def test_kinds_of_programs(directory, f):
    assert not hit(f)
    assert hit(f)


def test_blocks(directory):
    x = np.linspace(0.1, 0.9, 130_001)
    assert not hit(x=x)
    assert hit(x=x)


def test_arrays_found_elsewhere_are_those_of_now(directory):
    class Table:
        x = np.asarray([0.1, 0.2, 0.3])

    assert not hit(lambda x: chain(x * Table.x))
    Table.x = np.asarray([0.3, 0.1, 0.2])
    assert hit(lambda x: chain(x * Table.x))


def test_passes_back(directory):
    def gradient(compiled):
        x = ag.tensor(X, requires_grad=True)
        compiled(x).backward()
        return x.grad

    for found in (False, True):
        compiled = ag.compile(chain)
        np.testing.assert_array_equal(np.asarray(gradient(compiled)), make().f(X)[1])
        assert is_hit(compiled) is found


def test_native(directory):
    pytest.importorskip("numba")
    assert not hit(native=True)
    assert hit(native=True)
    compiled = make(native=True)
    compiled(X)
    assert "operations run natively" in compiled.codes()[0].notes[0]
    assert "tanh" in compiled.source


def test_native_tables_stay_within_their_memory(directory):
    pytest.importorskip("numba")
    make(native=True)(X)

    def ruin(column, value):
        def change(data):
            data["codes"][0]["native"]["table"][column] = value

        return change

    for column, value in ((0, 99), (0, -1), (1, 1 << 40), (2, -8), (2, 1 << 40), (3, 1 << 20), (4, 1 << 62)):
        kept = files(directory)[0].read_bytes()
        rewritten(directory, ruin(column, value))
        assert not hit(native=True)
        files(directory)[0].write_bytes(kept)
    assert hit(native=True)


def test_another_version_misses(directory, monkeypatch):
    make()(X)
    monkeypatch.setattr(cache, "_versions", lambda: "another")
    assert not hit()
    assert len(files(directory)) == 2


def test_constants_and_order_of_arguments_miss(directory):
    make()(X)
    assert not hit(lambda x: chain(x) * 2.0)
    assert not hit(lambda x: chain(x) * 2)
    assert not hit(lambda x: chain(x) * -0.0)
    assert not hit(lambda x: chain(x) * 0.0)
    assert not hit(x=X.astype(np.float32))
    assert not hit(x=np.asarray([*X, 0.1]))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"sin(", b"cos(", 1),
        lambda content: content[:100],
        lambda content: b"",
        lambda content: content[1:],
        lambda content: b"\x00" * 200,
    ],
    ids=["edited", "cut", "empty", "begins later", "zeros"],
)
def test_what_was_changed_is_refused_and_made_again(directory, change):
    make()(X)
    (path,) = files(directory)
    path.write_bytes(change(path.read_bytes()))
    assert not hit()
    assert hit()


def test_the_file_of_another_program_is_refused(directory):
    make()(X)
    (first,) = files(directory)
    make(lambda x: chain(x) * 2.0)(X)
    (second,) = set(files(directory)) - {first}
    second.write_bytes(first.read_bytes())
    assert not hit(lambda x: chain(x) * 2.0)


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "x = __import__('os')",
        "x = sin.__class__",
        "x = v0.tofile('a')",
        "x = v0.ctypes",
        "x = open('a')",
        "x = eval('1')",
        "x = [y for y in v0]; exec('1')",
        "x = lambda: 1",
        "while True: sin(v0)",
        "global sin",
        "x = f'{v0}'",
        "x = 2 ** 10 ** 10",
        "class a: v0 = 1",
        "x = v0 . dump",
        "x = sin(import=1)",
        "\uff45val(1)",
        "raise sin",
        "x = v0 if v0 else yield",
        "@sin",
        "# -*- coding: utf7 -*-",
    ],
)
def test_signed_source_that_does_more_is_refused(directory, line):
    make()(X)

    def change(data):
        data["codes"][0]["source"] += f"    {line}\n"

    rewritten(directory, change)
    assert not hit()


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("sin", ["function", "__class__", True]),
        ("sin", ["function", "cos", True]),
        ("sin", ["function", "_space.module.save", False]),
        ("sin", ["helper"]),
        ("sin", ["array", 0]),
        ("sin", ["blocks", 1 << 50, 1]),
        ("sin", ["dtype", "O"]),
        ("sin", ["anything"]),
    ],
)
def test_signed_names_of_other_things_are_refused(directory, name, recipe):
    make()(X)
    rewritten(directory, lambda data: data["codes"][0]["scope"].update({name: recipe}))
    assert not hit()


def test_all_that_generators_write_is_allowed():
    drafts.check("def program(v0):\n    x = ord(v0, 'fro', axis=(0, 1))\n    return (x[..., 1:],)\n", ["ord", "x"])
    with pytest.raises(drafts.UnkeptError, match="'secret'"):
        drafts.check("def program(v0):\n    return secret(v0)\n", ["sin"])


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners")
def test_what_others_can_write_is_not_used(directory, monkeypatch):
    make()(X)
    (path,) = files(directory)
    assert hit()
    for place, mode in (
        (path, 0o620),
        (path, 0o602),
        (directory, 0o770),
        (directory, 0o703),
        (directory / "key", 0o666),
    ):
        was = stat.S_IMODE(place.stat().st_mode)
        place.chmod(mode)
        assert not hit()
        if place == path:
            assert hit()  # it was written anew
        if place.exists():
            place.chmod(was)
    assert hit()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not hit()


def test_links_are_not_followed(directory, tmp_path):
    make()(X)
    (path,) = files(directory)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert not hit()


def test_nothing_can_be_written(directory, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", refuse)
        assert not hit()
        assert not files(directory)
    make()(X)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", refuse)
        patch.setattr(os, "utime", refuse)
        assert hit()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGNOGRAD_CACHE_DIR", str(tmp_path / "file"))
    assert not hit()


@pytest.mark.parametrize(("name", "value"), [("AGNOGRAD_CACHE", "0"), ("AGNOGRAD_CACHE_DIR", "")])
def test_off(directory, monkeypatch, tmp_path, name, value):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    monkeypatch.setenv(name, value)
    assert not hit()
    assert not list(tmp_path.rglob("*"))


@pytest.mark.skipif(sys.platform != "linux", reason="caches are elsewhere")
def test_the_users_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("AGNOGRAD_CACHE", raising=False)
    monkeypatch.delenv("AGNOGRAD_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not hit()
    assert hit()
    assert (tmp_path / "agnograd" / "programs" / "key").exists()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert not hit()
    assert (tmp_path / "home" / ".cache" / "agnograd" / "programs" / "key").exists()


def test_arrays_without_elements(directory):
    empty = ag.compile(lambda x: (chain(x), ag.zeros((0, 3)) + x))
    for _ in range(2):
        value, nothing = ag.compile(empty.f)(X)
        np.testing.assert_array_equal(value, chain(X))
        assert nothing.shape == (0, 3)


def test_small_programs_are_not_worth_it(directory):
    make(lambda x: ag.sum(ag.sin(x)))(X)
    assert not directory.exists()


def test_other_backends_have_none(directory):
    strict = pytest.importorskip("array_api_strict")
    make()(strict.asarray(X))
    assert not directory.exists()


def test_the_oldest_go(directory, monkeypatch):
    make()(X)
    (path,) = files(directory)
    size = path.stat().st_size
    monkeypatch.setattr(cache, "TOTAL", int(2.5 * size))
    names = [path.name]
    for k in (2.0, 3.0, 4.0):
        os.utime(directory / names[-1], (len(names), len(names)))
        before = {p.name for p in files(directory)}
        make(lambda x, k=k: chain(x) * k)(X)
        names += {p.name for p in files(directory)} - before
    assert {p.name for p in files(directory)} == set(names[2:])


def test_several_threads(directory):
    found = []
    threads = [threading.Thread(target=lambda: found.append(hit())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(files(directory)) == 1
    assert hit()
