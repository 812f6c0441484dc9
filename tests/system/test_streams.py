import errno
import os
import pathlib
import subprocess
import sys

import pytest

from tfxfer.errors import OutputError, ReaderLeftError, UsageError
from tfxfer.system.streams import keep_going, read_list, split_list

ROOT = pathlib.Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from tfxfer.cli import main; main()"]
NARROW = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def shell(script, *arguments, **environment):
    """Runs a shell script in which "$@" is the command, and returns what it did."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}", "-", *COMMAND, *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "arguments", "code", "error"),
    [
        ('"$@" | true', ["backbones"], 141, b""),
        ('"$@" | true', ["--help"], 141, b""),
        ('"$@" | true', ["fit", "--help"], 141, b""),
        ('"$@" > /dev/full', ["backbones"], 1, b"standard output: No space left on device"),
        ('"$@" > /dev/full', ["--version"], 1, b"standard output: No space left on device"),
        ('"$@" >&-', ["backbones"], 0, b""),
        ('"$@" >&- <&- 2>&-', ["backbones"], 0, b""),
        ('"$@" 2>&-', ["backbones", "resnet5"], 2, b""),
        ('"$@" 2> /dev/full', ["backbones", "resnet5"], 2, b""),
        ('"$@" 2> >(true)', ["fit", "--bogus"], 2, b""),
    ],
)
def test_streams_that_fail_end_a_command_with_its_usual_code(script, arguments, code, error):
    done = shell(script, *arguments)
    assert done.returncode == code
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == bool(error)


def test_an_output_that_is_not_to_be_waited_for_gets_all_of_a_text():
    script = """
import os, sys, time, threading
from tfxfer.system import streams
read, write = os.pipe()
os.dup2(write, 1)
os.set_blocking(1, False)
streams.prepare()
found = []
def reading():
    while sum(map(len, found)) < 10**6 + 1:
        time.sleep(0.002)
        found.append(os.read(read, 50_000))
thread = threading.Thread(target=reading)
thread.start()
streams.say("x" * 10**6)
thread.join()
sys.stderr.write(str(b"".join(found) == b"x" * 10**6 + b"\\n"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stderr == b"True"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", rb"\u043a\u043e\u0442 \xe4 " + b"\xff"),
        ("latin-1", rb"\u043a\u043e\u0442 " + b"\xe4 \xff"),
        ("utf-8", "кот ä ".encode() + b"\xff"),
    ],
)
def test_what_a_stream_cannot_encode_is_escaped_and_bytes_of_names_stay(encoding, expected):
    data = "/nowhere/кот ä ".encode() + b"\xff"
    done = subprocess.run(
        [*COMMAND, "fit", "--data", "digits", "--runs-dir", data],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **NARROW, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert done.returncode == 2
    assert b"which is not UTF-8" in done.stderr
    done = subprocess.run(
        [*COMMAND, "fit", "--data", "digits", "--config", data],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **NARROW, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert b"no recipe '/nowhere/" + expected in done.stderr


def test_names_of_files_are_utf_8_whatever_the_locale(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, os\nfrom tfxfer.system import streams\nstreams.prepare()\n"
        "print(ascii(os.listdir(sys.argv[1])), sys.stdout.encoding)\n"
    )
    (tmp_path / "data" / "кот").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "data")],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **NARROW},
        check=True,
    )
    assert done.stdout == rb"['\u043a\u043e\u0442'] ascii" + b"\n"


def test_files_do_not_take_the_place_of_streams_that_are_closed(tmp_path):
    script = (
        "import os\nfrom tfxfer.system.streams import keep_going\nsay = keep_going(print)\n"
        "file = open(os.environ['PLACE'], 'w')\nsay('line')\nos.write(2, b'native')\n"
        "file.write(str(file.fileno() > 2))\n"
    )
    subprocess.run(
        ["bash", "-c", '"$@" <&- >&- 2>&-', "-", sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PLACE": str(tmp_path / "file")},
        check=True,
    )
    assert (tmp_path / "file").read_text() == "True"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ReaderLeftError(""), "Note: "),
        (OutputError("Standard output: full."), "Error: Standard output: full."),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)
def test_lines_that_cannot_be_printed_do_not_end_a_run(error, told, capsys):
    tried = []

    def failing(text):
        tried.append(text)
        raise error

    say = keep_going(failing)
    say("first")
    say("second")
    assert tried == ["first"]
    assert told in capsys.readouterr().err


def test_lines_that_cannot_be_encoded_are_escaped():
    lines = []

    def narrow(text):
        text.encode("latin-1")
        lines.append(text)

    say = keep_going(narrow)
    say("кот ä")
    say("ä")
    assert lines == [r"\u043a\u043e\u0442 \xe4", "ä"]


def test_a_script_whose_reader_left_ends_without_a_word_of_it():
    script = (
        "import sys, time\nfrom tfxfer.system.streams import keep_going\nsay = keep_going(print)\n"
        "for number in range(20000): say(f'line {number}')\nsys.stderr.write('done\\n')\n"
    )
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" | head -1', "-", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.stdout == "line 0\n"
    note, last = done.stderr.splitlines()
    assert note.startswith("Note: ")
    assert last == "done"
    assert done.returncode == 0


@pytest.mark.slow
def test_a_fit_does_not_end_because_nobody_reads_it(finished):
    from tfxfer.api.fit import fit

    def left(text):
        raise BrokenPipeError

    result, _ = finished
    assert fit(resume=result.run, say=left).metrics == result.metrics


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.jpg\nb c.jpg\n", ["a.jpg", "b c.jpg"]),
        (b"\xef\xbb\xbfa.jpg\r\n\r\n \r\nb.jpg\r\n", ["a.jpg", "b.jpg"]),
        (b"a.jpg\r\nb.jpg\n\nc.jpg", ["a.jpg", "b.jpg", "c.jpg"]),
        (b"a\nb.jpg\0c.jpg\0", ["a\nb.jpg", "c.jpg"]),
        ("кот.jpg\n".encode() + b"\xff.jpg", ["кот.jpg", "\udcff.jpg"]),
        ("\ufeff猫.jpg\r\n".encode("utf-16-le"), ["猫.jpg"]),
        (b" a.jpg \n", [" a.jpg "]),
        (b"a.jpg\rb c.jpg\r", ["a.jpg", "b c.jpg"]),
        (b"", []),
        (b"\xef\xbb\xbf", []),
    ],
)
def test_a_list_is_read_as_any_system_writes_it(content, names):
    assert split_list(content) == names


def test_a_carriage_return_that_is_part_of_a_name_stays(tmp_path):
    (tmp_path / "a\r").touch()
    assert split_list(f"{tmp_path}/a\r\n{tmp_path}/b\r\n".encode()) == [
        f"{tmp_path}/a\r",
        f"{tmp_path}/b",
    ]
    assert split_list(f"{tmp_path}/a\r".encode()) == [f"{tmp_path}/a\r"]


def test_a_list_from_a_closed_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="Standard input is closed.*'-' reads a list"):
        read_list()
