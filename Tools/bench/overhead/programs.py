"""Builds the programs that are measured."""
import os, subprocess

here = os.path.dirname(os.path.abspath(__file__))
ARENA_HEADER = os.path.join(here, "../../../Sources/CLockjawABI/include")
VARIANTS = {"plain": [], "tsan": ["-fsanitize=thread"]}


def build(directory):
    """A dictionary (program, variant) → path."""
    built = {}
    for name in ("pair", "contended", "line", "threads", "memcached_load", "operations"):
        for variant, flags in VARIANTS.items():
            path = os.path.join(directory, f"{name}-{variant}")
            subprocess.run(["gcc", "-O2", "-pthread", "-I", ARENA_HEADER, *flags, "-o", path, os.path.join(here, f"{name}.c")], check=True)
            built[name, variant] = path
    return built
