"""Run command lines one after another in one process, and print what each of them imported.

Reads a JSON list of command lines from stdin; prints a list of ``{"code", "output", "packages"}``,
where `packages` are the outermost packages that the command line imported first.
"""

import json
import sys
from pathlib import Path

sys.path += [str(folder) for folder in Path(__file__).resolve().parents[:2]]


def answer(words: list[str]) -> dict[str, object]:
    """Run one command line as a script."""
    before = set(sys.modules)
    from commands import run

    result = run(f"{words[0]}.py", *words[1:])
    return {
        "code": result.returncode,
        "output": result.stdout + result.stderr,
        "packages": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
    }


if __name__ == "__main__":
    print(json.dumps([answer(words) for words in json.load(sys.stdin)]))
