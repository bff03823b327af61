"""What an uncontended acquire and release costs, bare and under each tool."""
import subprocess
from figures import median, table

BUDGETS_NS = {"lockjaw state": 6, "lockjaw sites": 12, "lockjaw all": 30}
# What the budgets were given for; a nested pair is two pairs, and may cost twice as much.
BUDGETED = {"mutex": 1, "read": 1, "write": 1, "nested": 2}


def once(tool, programs):
    try:
        ran = tool.run([programs["pair", tool.variant], str(tool.pairs), str(tool.rounds)], timeout=240)
    except subprocess.TimeoutExpired:
        return {}
    # A peer that crashes half-way has said what it had measured until then.
    return {line.split()[0]: float(line.split()[1]) for line in ran.stdout.splitlines() if len(line.split()) > 1}


def measure(bare, ours, peers, programs, runs, peer_runs):
    """Runs of all tools in turn, so that a machine whose speed drifts disturbs all alike."""
    rows = []
    for run in range(runs):
        rows.append({tool.name: once(tool, programs) for tool in [bare, *ours, *(peers if run < peer_runs else [])]})
    kinds = list(rows[0][bare.name])
    result = {}
    for tool in [bare, *ours, *peers]:
        for kind in kinds:
            seen = [(row[bare.name][kind], row[tool.name][kind]) for row in rows if kind in row.get(tool.name, {})]
            if seen:
                result.setdefault(tool.name, {})[kind] = {
                    "ns": median([ns for _, ns in seen]), "added_ns": median([ns - raw for raw, ns in seen]), "raw": seen}
    return kinds, result


def report(kinds, result, bare):
    rows, over = [], []
    for name, figures in result.items():
        cells = []
        for kind in kinds:
            figure = figures.get(kind)
            if figure is None:
                cells.append("–")
            elif name == bare.name:
                cells.append(f"{figure['ns']:.1f}")
            else:
                added = figure["added_ns"]
                # A peer that adds nothing does not look at this kind.
                cells.append("–" if added < 1 else f"{added:+,.1f}" if added < 100 else f"{added:+,.0f}")
                budget = BUDGETS_NS.get(name, float("inf")) * BUDGETED.get(kind, float("inf"))
                if figure["added_ns"] > budget:
                    over.append(f"{name}, {kind}: +{figure['added_ns']:.1f} ns, over its budget of +{budget:.0f} ns")
        rows.append([name, *cells])
    return table(["ns per pair", *kinds], rows), over
