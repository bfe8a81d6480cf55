#!/usr/bin/env python3
"""Holds every #include of src/ against the order of the rooms (docs/architecture.md).

base < formats < {io, text} < graph < {models, backends} < engine < apps; a room includes itself and what is listed
here for it, nothing else. The same list stands in CMakeLists.txt as link dependencies.
"""
import pathlib
import re
import sys

ALLOWED = {
    "base": set(),
    "formats": {"base"},
    "io": {"base", "formats"},
    "text": {"base"},
    "graph": {"base", "formats"},
    "models": {"base", "formats", "io", "graph"},
    "backends": {"base", "formats", "graph"},
    "engine": {"base", "formats", "io", "text", "graph", "models", "backends"},
    "apps": {"base", "formats", "io", "text", "graph", "models", "backends", "engine"},
}
GENERATED = {
    "format_list.h": "formats", "model_list.h": "models", "webgpu_kernels.h": "backends",
    "fmt": None, "nlohmann": None, "CLI": None,
}


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    errors = []
    for path in sorted(root.rglob("*")):
        if path.suffix not in {".h", ".cc", ".inl"}:
            continue
        room = path.relative_to(root).parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            if target in GENERATED:
                target = GENERATED[target] or room
            if target not in ALLOWED:
                errors.append(f"{path}:{number}: include \"{match.group(1)}\" must start with a room of src/")
            elif target != room and target not in ALLOWED[room]:
                errors.append(f"{path}:{number}: {room} may not include {target} (allowed: {sorted(ALLOWED[room])})")
    for error in errors:
        print(error.replace(str(root.parent) + "/", ""), file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
