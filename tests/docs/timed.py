"""Walk the tutorial as a newcomer does: in a fresh clone, timing each command, and write the transcript into the page.

``python -m tests.docs.timed`` does all that; it installs from a package registry. The times hold for this machine, and
are upper bounds where others use it too.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from benchmark.stamp import processor_name
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial.md"
TRANSCRIPT = re.compile(r"\n## How long it took\n.*", re.S)  # the end of the page
CLONE = "git clone"


def steps() -> list[str]:
    """Return the tutorial's commands in order, a line of a block each."""
    return [line for block in blocks(PAGE) if block.language == "bash" for line in block.text.splitlines()]


def walked(folder: Path) -> tuple[list[int], str]:
    """Follow the tutorial in a clone; return the seconds of the clone and of each step, and the output."""
    times, clone = folder / "times", folder / "clone"
    examples = [(block.value, block.text) for block in blocks(PAGE) if block.mark == "example"]
    script = [f"{CLONE} -q {ROOT} {clone}", f"cd {clone}"]
    script += [f"cat > {name} <<'END OF EXAMPLE'\n{text}END OF EXAMPLE" for name, text in examples]
    script = ["SECONDS=0", *script, f"echo $SECONDS > {times}"]
    script += [f"SECONDS=0\n{step}\necho $SECONDS >> {times}" for step in steps()]
    # A newcomer has activated nothing yet.
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment["PATH"] = environment["PATH"].replace(f"{os.environ.get('VIRTUAL_ENV')}/bin:", "")
    command = ["bash", "-euo", "pipefail", "-c", "\n".join(script)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return [int(line) for line in times.read_text().split()], done.stdout


def transcript(seconds: list[int], printed: str) -> str:
    """Return the times as the tutorial shows them, and the table in which the new method stands."""
    clock = [f"{spent // 60}:{spent % 60:02}" for spent in [*seconds, sum(seconds)]]
    lines = [f"{time:>6}  {step}" for time, step in zip(clock, [CLONE, *steps(), "all commands"], strict=True)]
    table = re.search(r"^noise: .*\n(?:  .*\n)+", printed, re.M)
    assert table, printed
    machine = f"{processor_name()} with {os.cpu_count()} cores"
    return (
        f"Minutes and seconds of each command on {machine}. Other work on the machine makes\n"
        "them longer. Copying the files of this page is not counted.\n\n"
        "```text\n" + "\n".join(lines) + "\n```\n\n"
        "Step 6 ended with this table:\n\n"
        f"```text\n{table[0]}```\n"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = transcript(*walked(Path(folder)))
    page = PAGE.read_text(encoding="utf-8")
    page = TRANSCRIPT.sub("", page) + f"\n## How long it took\n\n{text}"
    PAGE.write_text(page, encoding="utf-8", newline="\n")
