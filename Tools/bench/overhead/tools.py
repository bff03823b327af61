"""The tools that are compared: how each is put around a program, or why it can't be here."""
import os, shutil, subprocess, tempfile, time
from dataclasses import dataclass, field

LEVELS = ("state", "sites", "all")


@dataclass
class Tool:
    """One column of the tables. `environment` and `prefix` put it around a command; `variant` names the program's build."""
    name: str
    environment: dict = field(default_factory=dict)
    prefix: list = field(default_factory=list)
    variant: str = "plain"
    # Tools that slow a program a thousandfold measure fewer pairs; the figure is per pair all the same.
    pairs: int = 2_000_000
    rounds: int = 15
    is_peer: bool = True

    def run(self, command, **options):
        return subprocess.run([*self.prefix, *command], env={**os.environ, **self.environment},
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)


def lockjaw(shim, directory):
    for level in LEVELS:
        yield Tool(f"lockjaw {level}", {"LD_PRELOAD": shim, "LOCKJAW_DIR": directory, "LOCKJAW_RECORD": level}, is_peer=False)


class Lttng:
    """A recording session of LTTng that keeps the newest events in memory, as a flight recorder does. Ends with the block."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="lttng-")
        self.wrapper = "liblttng-ust-pthread-wrapper.so.1"
        self.daemon = self.problem = None

    def __enter__(self):
        if shutil.which("lttng") is None or shutil.which("lttng-sessiond") is None:
            self.problem = "LTTng: not installed (packages lttng-tools, liblttng-ust1)"
            return self
        self.daemon = subprocess.Popen(["lttng-sessiond", "--no-kernel", "--quiet"], env=self.environment(),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # The daemon answers once it is up; until then the first command starts none of its own.
            deadline = time.monotonic() + 20
            while self.command("list").returncode != 0:
                if time.monotonic() > deadline:
                    raise OSError("its daemon does not answer")
                time.sleep(0.1)
            for arguments in (["create", "lockjaw-bench", "--snapshot", f"--output={self.home}"],
                              ["enable-event", "--userspace", "lttng_ust_pthread:*"], ["start"]):
                ran = self.command(*arguments)
                if ran.returncode != 0:
                    raise OSError(ran.stderr.strip() or f"lttng {arguments[0]} ended with {ran.returncode}")
        except (subprocess.SubprocessError, OSError) as error:
            self.problem = f"LTTng: no session could be started: {error}"
        return self

    def __exit__(self, *_):
        if self.daemon is not None:
            if self.problem is None:
                self.command("destroy", "lockjaw-bench")
            self.daemon.terminate()
            self.daemon.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def command(self, *arguments):
        return subprocess.run(["lttng", "--no-sessiond", *arguments], timeout=60, env=self.environment(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def environment(self):
        return {**os.environ, "LTTNG_HOME": self.home}


def peers(mutrace, lttng):
    """The peers that are here, and a sentence for each that is not. `lttng` is an entered `Lttng`."""
    found, missing = [], []

    dyndd = sanitizer_runtime("libclang_rt.dyndd")
    if dyndd:
        found.append(Tool("LLVM dyndd", {"LD_PRELOAD": dyndd}))
    else:
        missing.append("LLVM dyndd: no libclang_rt.dyndd beside clang")

    if mutrace and os.path.exists(mutrace):
        found.append(Tool("mutrace", {"LD_PRELOAD": mutrace}, pairs=200_000))
    else:
        missing.append("mutrace: build its library outside of this tree and name it with --mutrace")

    if lttng.problem is None:
        found.append(Tool("LTTng pthread wrapper", {"LD_PRELOAD": lttng.wrapper, "LTTNG_HOME": lttng.home}, pairs=100_000))
    else:
        missing.append(lttng.problem)

    found.append(Tool("TSan (gcc)", variant="tsan", pairs=200_000))
    if shutil.which("valgrind"):
        for tool in ("helgrind", "drd"):
            found.append(Tool(tool, prefix=["valgrind", f"--tool={tool}", "-q"], pairs=5_000, rounds=3))
    else:
        missing.append("helgrind, drd: valgrind is not installed")
    return found, missing


def sanitizer_runtime(name):
    clang = shutil.which("clang")
    if clang is None:
        return None
    directory = subprocess.run([clang, "-print-runtime-dir"], stdout=subprocess.PIPE, text=True).stdout.strip()
    for folder in (directory, os.path.join(os.path.dirname(directory), "linux")):
        for suffix in (f"{name}.so", f"{name}-x86_64.so"):
            path = os.path.join(folder, suffix)
            if os.path.exists(path):
                return path
    return None
