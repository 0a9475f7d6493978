"""How fast extraction is, what the cage costs, and how peers do on the same files in the same run.

    python -m tests.benchmarks.extract_speed DIR [--peers PYTHON] [--only NAME]

DIR has `files/` (as in `make conformance`) or is itself a folder of files. PYTHON is an interpreter that has
some of markitdown, pypdf, python-docx and openpyxl installed; without it only our own figures are printed.

    python -m venv peers && peers/bin/pip install "markitdown[all]" pypdf python-docx openpyxl

CPU seconds count every process taken part. Peak memory is that of the largest single process. Compare ratios
between lines of one run; seconds depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pii_scan.text import Extraction, Label

PEERS = ("markitdown", "pypdf", "python-docx", "openpyxl")
FORMATS = {"pypdf": {".pdf"}, "python-docx": {".docx"}, "openpyxl": {".xlsx"}}
PEER_SECONDS = 20
ROUNDS = 5
"""How often the few files of one format are read, so that starting up does not decide."""


@dataclass(frozen=True, slots=True)
class Run:
    """One tool over one set of files; seconds for each file that took part."""

    tool: str
    files: int
    with_text: int
    cpu: float
    peak_megabytes: float
    seconds: list[float]

    def line(self) -> str:
        """The run as one line of the report."""
        ordered = sorted(self.seconds) or [0.0]
        p50, p95 = statistics.median(ordered), ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
        return (f"{self.tool:34} {self.files:5} {self.with_text:9} {self.cpu:8.2f} {self.peak_megabytes:8.0f} "
                f"{p50 * 1000:8.1f} {p95 * 1000:8.1f}")


HEADER = f"{'tool':34} {'files':>5} {'with text':>9} {'CPU s':>8} {'peak MB':>8} {'p50 ms':>8} {'p95 ms':>8}"


def files_of(folder: Path, suffixes: set[str] | None = None) -> list[Path]:
    """The files to read, in order of name."""
    place = folder / "files" if (folder / "files").is_dir() else folder
    return sorted(file for file in place.iterdir()
                  if file.is_file() and (suffixes is None or file.suffix.casefold() in suffixes))


def has_text(extraction: Extraction) -> bool:
    """Whether anything but file names was read."""
    return any(getattr(block, "label", None) is not Label.NAME for part in extraction.parts for block in part.blocks)


# what runs in a process of its own: prints one JSON object


def run_caged(files: list[Path]) -> Run:
    """Our extractor as the flow uses it."""
    from capture.extract import SandboxedExtractor

    seconds, texts = [], 0
    with SandboxedExtractor(ocr=False) as extractor:
        extractor.protections()
        for file in files:
            raw = file.read_bytes()
            start = time.perf_counter()
            extraction = extractor.extract(raw, name=file.name)
            seconds.append(time.perf_counter() - start)
            texts += has_text(extraction)
    return _finished("mailweir", files, texts, seconds)


def run_uncaged(files: list[Path]) -> Run:
    """The same readers in this process, without cage or limits: for well-meant files only."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    from inprocess import read

    from capture.extract.server import preload

    preload()
    seconds, texts = [], 0
    for file in files:
        raw = file.read_bytes()
        start = time.perf_counter()
        extraction = read(raw, file.name)
        seconds.append(time.perf_counter() - start)
        texts += has_text(extraction)
    return _finished("mailweir without its cage", files, texts, seconds)


def run_idle() -> Run:
    """Start-up alone: a server with every reader loaded, and no item."""
    from capture.extract import SandboxedExtractor

    start = time.perf_counter()
    with SandboxedExtractor(ocr=False) as extractor:
        extractor.protections()
        seconds = time.perf_counter() - start
    return _finished("mailweir, start only", [], 0, [seconds])


def _finished(tool: str, files: list[Path], texts: int, seconds: list[float]) -> Run:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return Run(tool, len(files), texts, cpu, max(own.ru_maxrss, children.ru_maxrss) / 1000, seconds)


PEER_PROGRAM = """
import contextlib, io, json, resource, signal, sys, time
tool, limit, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if tool == "markitdown":
    from markitdown import MarkItDown
    converter = MarkItDown()
    def read(name):
        return converter.convert(name).text_content
elif tool == "pypdf":
    from pypdf import PdfReader
    def read(name):
        return "\\n".join(page.extract_text() for page in PdfReader(name).pages)
elif tool == "python-docx":
    import docx
    def read(name):
        document = docx.Document(name)
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        return "\\n".join([p.text for p in document.paragraphs] + cells)
else:
    import openpyxl
    def read(name):
        book = openpyxl.load_workbook(name, read_only=True, data_only=True)
        return "\\n".join(str(v) for sheet in book for row in sheet.iter_rows(values_only=True) for v in row if v)
def late(*_):
    raise TimeoutError
signal.signal(signal.SIGALRM, late)
seconds, texts = [], 0
for name in files:
    start = time.perf_counter()
    signal.alarm(limit)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            texts += bool((read(name) or "").strip())
    except BaseException:
        pass
    signal.alarm(0)
    seconds.append(time.perf_counter() - start)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"tool": tool, "files": len(files), "with_text": texts, "cpu": used.ru_utime + used.ru_stime,
                  "peak_megabytes": used.ru_maxrss / 1000, "seconds": seconds}))
"""


def run_peer(tool: str, python: Path, files: list[Path]) -> Run | None:
    """A peer over the same files, or None when it is not installed there."""
    command = [str(python), "-W", "ignore", "-c", PEER_PROGRAM, tool, str(PEER_SECONDS), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    return Run(**json.loads(done.stdout.strip().splitlines()[-1]))


def own_process(kind: str, folder: Path, suffixes: set[str] | None = None) -> Run:
    """Run one of our own ways in a fresh process, so that CPU and memory are its own."""
    command = [sys.executable, "-m", "tests.benchmarks.extract_speed", str(folder), "--only", kind]
    if suffixes:
        command += ["--suffixes", ",".join(sorted(suffixes))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Run(**json.loads(done.stdout.strip().splitlines()[-1]))


# made items


def big_mail() -> bytes:
    """A mail with 40 attachments: documents, workbooks, lists and PDF files."""
    import bombs

    attachments = []
    for number in range(10):
        attachments += [
            (f"{number}.docx", bombs.docx_of("a paragraph of some words. " * 400)),
            (f"{number}.xlsx", bombs.xlsx(b"".join(
                b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>name %d</t></is></c><c r="B%d"><v>%d</v></c></row>'
                % (row, row, row, row, row) for row in range(1, 1_000)))),
            (f"{number}.csv", b"name,number\n" + b"".join(b"person %d,%d\n" % (n, n) for n in range(2_000))),
            (f"{number}.pdf", bombs.pdf([bombs.pdf_text(f"page {page} " + "with words " * 6) for page in range(5)]))]
    return bombs.mail(b"forty attachments\r\n", *attachments)


def long_pdf() -> bytes:
    """A PDF of 200 pages with 40 lines each."""
    import bombs

    lines = b"BT /F1 10 Tf 14 TL 50 750 Td " + b"".join(
        b"(Line %d of a page, with some words to be read from it) Tj T* " % line for line in range(40)) + b"ET"
    return bombs.pdf([lines] * 200)


def run_made(kind: str) -> Run:
    """One large item through the cage."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    raw = big_mail() if kind == "mail" else long_pdf()
    from capture.extract import SandboxedExtractor

    with SandboxedExtractor(ocr=False) as extractor:
        extractor.protections()
        start = time.perf_counter()
        extraction = extractor.extract(raw)
        seconds = time.perf_counter() - start
    made = _finished("", [], len(extraction.parts), [seconds])
    name = "mail with 40 attachments" if kind == "mail" else "PDF of 200 pages"
    return Run(f"{name}: {extraction.status}", 1, int(extraction.status == "read"), made.cpu, made.peak_megabytes,
               [seconds])


def report(folder: Path, peers: Path | None) -> None:
    """Print everything."""
    say = sys.stdout.write
    say(HEADER + "\n")
    idle, caged = own_process("idle", folder), own_process("caged", folder)
    uncaged = own_process("uncaged", folder)
    for run in (idle, caged, uncaged):
        say(run.line() + "\n")
    cage = (caged.cpu - uncaged.cpu) / max(caged.files, 1)
    wall = statistics.median(caged.seconds) - statistics.median(uncaged.seconds)
    say(f"cost of the cage: {cage * 1000:.1f} ms of CPU a document, {wall * 1000:.1f} ms at the median\n")
    for kind in ("mail", "pdf"):
        say(own_process(f"made-{kind}", folder).line() + "\n")
    if peers is None:
        say("peers: not run (--peers PYTHON)\n")
        return
    for tool in PEERS:
        suffixes = FORMATS.get(tool)
        run = run_peer(tool, peers, files_of(folder, suffixes) * (ROUNDS if suffixes else 1))
        if run is None:
            say(f"{tool}: not installed there\n")
            continue
        ours = own_process("caged", folder, suffixes) if suffixes else caged
        bare = own_process("uncaged", folder, suffixes) if suffixes else uncaged
        name = ", ".join(sorted(suffixes or {"all files"})) + (f" read {ROUNDS} times" if suffixes else "")
        say(f"-- {name}\n{run.line()}\n{ours.line()}\n{bare.line()}\n")
        say(f"   {tool} / mailweir: {run.cpu / max(ours.cpu, 1e-9):.1f} x CPU\n")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--only", choices=["idle", "caged", "uncaged", "made-mail", "made-pdf"])
    parser.add_argument("--suffixes", default="")
    chosen = parser.parse_args()
    if chosen.only is None:
        report(chosen.folder, chosen.peers)
        return 0
    suffixes = set(chosen.suffixes.split(",")) if chosen.suffixes else None
    files = files_of(chosen.folder, suffixes) * (ROUNDS if suffixes else 1)
    with contextlib.redirect_stdout(io.StringIO()):
        if chosen.only == "idle":
            run = run_idle()
        elif chosen.only.startswith("made-"):
            run = run_made(chosen.only.removeprefix("made-"))
        else:
            run = (run_caged if chosen.only == "caged" else run_uncaged)(files)
    values = {name: getattr(run, name) for name in Run.__slots__}
    sys.stdout.write(json.dumps(values) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
