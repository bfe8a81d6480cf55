#!/usr/bin/env python3
"""Files of at most 500 lines, lines of at most 120 columns. Generated tables (named *_table*) are exempt."""
import pathlib
import subprocess
import sys

MAX_LINES, MAX_COLUMNS = 500, 120


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    names = subprocess.run(["git", "ls-files", "*.cc", "*.h", "*.inl", "*.py", "*.mjs", "*.ts", "*.wgsl"], cwd=root,
                           capture_output=True, text=True, check=True).stdout.split()
    bad = 0
    for name in names:
        if "_table" in name or not (root / name).exists():
            continue
        lines = (root / name).read_text().splitlines()
        if len(lines) > MAX_LINES:
            print(f"{name}: {len(lines)} lines, at most {MAX_LINES}: which two things are in it?", file=sys.stderr)
            bad += 1
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                print(f"{name}:{number}: {len(line)} columns, at most {MAX_COLUMNS}", file=sys.stderr)
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
