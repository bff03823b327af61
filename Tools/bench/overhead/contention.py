"""What several threads get through together: one mutex that all want, one rwlock that all read."""
from figures import interval, median, percent, table

# (what is measured, lock, threads, steps of work inside and outside, the least share of the bare throughput that level
# `state` may leave). 250 steps are about 0.1 µs; with fewer, what is measured is the pair itself, as most acquisitions meet nobody.
CASES = [("mutex held 0.1 µs, 2 threads", "mutex", 2, 250, 0.95), ("mutex held 0.1 µs, 8 threads", "mutex", 8, 250, 0.95),
         ("mutex held 1 µs, 2 threads", "mutex", 2, 2500, 0.95), ("mutex held 1 µs, 8 threads", "mutex", 8, 2500, 0.95),
         ("readers, 2 threads", "read", 2, 250, None)]
MILLISECONDS = 400


def measure(bare, tools, programs, runs):
    result = {}
    for label, lock, threads, steps, _ in CASES:
        rows = []
        for _ in range(runs):
            row = {}
            for tool in [bare, *tools]:
                ran = tool.run([programs["contended", tool.variant], lock, str(threads), str(MILLISECONDS),
                                str(steps)], timeout=120)
                if ran.returncode == 0 and ran.stdout.strip():
                    row[tool.name] = float(ran.stdout)
            rows.append(row)
        for tool in [bare, *tools]:
            ratios = [row[tool.name] / row[bare.name] for row in rows if tool.name in row]
            result.setdefault(tool.name, {})[label] = None if not ratios else {
                "per_second": median([row[tool.name] for row in rows if tool.name in row]),
                "ratio": median(ratios), "interval": interval(ratios), "runs": len(ratios)}
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
    return table(["share of bare throughput (95 % interval)", *(case[0] for case in CASES)], rows), over
