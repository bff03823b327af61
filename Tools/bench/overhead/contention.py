"""What several threads get through together: one mutex that all want, one rwlock that all read.

Threads that have to share their processors with other programs say nothing about the lock: which one gets how much of a
processor depends on how it sleeps, and a factor of two either way was seen. So a run counts only if other programs took
less than OTHERS_MOST of the machine meanwhile; one that was disturbed is made anew, a few times.

Nor do all machines say the same. Where a cache line takes 200 ns from one processor to the other, handing over a lock that is held for
half of that costs more than holding it, and whoever sleeps most gets most done; where it takes 50, who looks again before it sleeps
wins. So the line's way is measured beside every row.
"""
import os, resource, subprocess
from figures import interval, median, percent, table

OTHERS_MOST = 0.05
ATTEMPTS = 4

# (what is measured, lock, threads, steps of work inside and outside, the least share of the bare throughput that level
# `state` may leave). 250 steps are about 0.1 µs; with fewer, what is measured is the pair itself, as most acquisitions meet nobody.
CASES = [("mutex held 0.1 µs, 2 threads", "mutex", 2, 250, 0.95), ("mutex held 0.1 µs, 8 threads", "mutex", 8, 250, 0.95),
         ("mutex held 1 µs, 2 threads", "mutex", 2, 2500, 0.95), ("mutex held 1 µs, 8 threads", "mutex", 8, 2500, 0.95),
         ("readers, 2 threads", "read", 2, 250, None)]
MILLISECONDS = 400


def processor_seconds():
    """What all programs of this machine used, and what our own ended children did; a hypervisor's share is somebody else's."""
    with open("/proc/stat") as lines:
        user, nice, system, _, _, irq, softirq, steal = map(int, lines.readline().split()[1:9])
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK"), own.ru_utime + own.ru_stime


def one_run(tool, command):
    """What the program printed, (acquisitions a second, the least thread's part of an equal share), or None where it
    crashed; and the share of the machine that other programs had meanwhile."""
    everyone, own = processor_seconds()
    ran = tool.run(command, timeout=120)
    everyone_after, own_after = processor_seconds()
    others = (everyone_after - everyone) - (own_after - own)
    share = max(0, others) / (os.cpu_count() * MILLISECONDS / 1000)
    return (tuple(map(float, ran.stdout.split())) if ran.returncode == 0 and ran.stdout.strip() else None), share


def line_ns(programs):
    """Nanoseconds that a cache line takes from one processor to another; None with one processor."""
    ran = subprocess.run([programs["line", "plain"]], stdout=subprocess.PIPE, text=True)
    return float(ran.stdout) if ran.returncode == 0 else None


def measure(bare, tools, programs, runs):
    result = {}
    for label, lock, threads, steps, _ in CASES:
        rows, lines, disturbed = [], [], 0
        for _ in range(runs):
            row = {}
            lines.append(line_ns(programs))
            for tool in [bare, *tools]:
                command = [programs["contended", tool.variant], lock, str(threads), str(MILLISECONDS), str(steps)]
                for _ in range(ATTEMPTS):
                    said, others = one_run(tool, command)
                    if said is None or others <= OTHERS_MOST:
                        break
                else:
                    disturbed += 1
                if said is not None:
                    row[tool.name] = said
            rows.append(row)
        for tool in [bare, *tools]:
            pairs = [(row[tool.name], row[bare.name]) for row in rows if tool.name in row]
            ratios = [ours[0] / raw[0] for ours, raw in pairs]
            result.setdefault(tool.name, {})[label] = None if not ratios else {
                "per_second": median([ours[0] for ours, _ in pairs]), "least_share": median([ours[1] for ours, _ in pairs]),
                "ratio": median(ratios), "interval": interval(ratios), "runs": len(ratios),
                "line_ns": [line for line in lines if line is not None],
                "disturbed": disturbed, "all_runs": runs * (1 + len(tools))}
    return result


def report(result, bare):
    rows, over = [], []
    for name, figures in result.items():
        cells = []
        for label, _, _, _, least in CASES:
            figure = figures[label]
            if figure is None:
                cells.append("crashed")
            elif name == bare.name:
                cells.append(f"{figure['per_second'] / 1e6:.2f} M/s")
            else:
                low, high = figure["interval"]
                cells.append(f"{percent(figure['ratio'])} ({percent(low)} – {percent(high)})")
                if name == "lockjaw state" and least is not None and figure["ratio"] < least:
                    over.append(f"{name}, {label}: {percent(figure['ratio'])} of the bare throughput, less than {percent(least)}")
        rows.append([name, *cells])
    text = table(["share of bare throughput (95 % interval)", *(case[0] for case in CASES)], rows)
    fairness = table(["the thread that got the fewest, of an equal share", *(case[0] for case in CASES)],
                     [[name, *("crashed" if figures[case[0]] is None else percent(figures[case[0]]["least_share"]) for case in CASES)]
                      for name, figures in result.items()])
    of_bare = result[bare.name].values()
    lines = sorted(line for figure in of_bare for line in figure["line_ns"])
    way = f"A cache line took {lines[0]:.0f} to {lines[-1]:.0f} ns, median {median(lines):.0f}, from one processor to another. " if lines else ""
    return (f"{text}\n\n{fairness}\n\n{way}Other programs had more than {percent(OTHERS_MOST)} of the machine during "
            f"{sum(figure['disturbed'] for figure in of_bare)} of {sum(figure['all_runs'] for figure in of_bare)} runs, at each of "
            f"{ATTEMPTS} attempts; those count all the same."), over
