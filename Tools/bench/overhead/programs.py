"""Builds the programs that are measured."""
import os, subprocess

here = os.path.dirname(os.path.abspath(__file__))
VARIANTS = {"plain": [], "tsan": ["-fsanitize=thread"]}


def build(directory):
    """A dictionary (program, variant) → path."""
    built = {}
    for name in ("pair", "contended", "threads", "memcached_load"):
        for variant, flags in VARIANTS.items():
            path = os.path.join(directory, f"{name}-{variant}")
            subprocess.run(["gcc", "-O2", "-pthread", *flags, "-o", path, os.path.join(here, f"{name}.c")], check=True)
            built[name, variant] = path
    return built
