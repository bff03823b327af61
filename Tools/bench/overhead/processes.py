"""What a process pays once: its start, and its threads' memory."""
import time
from figures import interval, median, table

STARTS_PER_RUN = 40
START_BUDGET_MS = 2.0
THREAD_BUDGET_KIB = 8.0


def starts(bare, tools, runs):
    """Milliseconds that `/bin/true` takes longer under each tool."""
    differences = {tool.name: [] for tool in tools}
    for _ in range(runs):
        took = {}
        for tool in [bare, *tools]:
            begin = time.monotonic()
            for _ in range(STARTS_PER_RUN):
                tool.run(["/bin/true"])
            took[tool.name] = (time.monotonic() - begin) * 1000 / STARTS_PER_RUN
        for tool in tools:
            differences[tool.name].append(took[tool.name] - took[bare.name])
    return {name: {"added_ms": median(values), "interval": interval(values)} for name, values in differences.items()}


def memory(bare, tools, programs, runs, few=500, many=2500):
    """KiB of resident memory per thread: the slope between few threads and many, less the bare slope."""
    def slope(tool):
        sizes = [float(tool.run([programs["threads", tool.variant], str(count)], timeout=120).stdout) for count in (few, many)]
        return (sizes[1] - sizes[0]) / (many - few)

    rows = [{tool.name: slope(tool) for tool in [bare, *tools]} for _ in range(runs)]
    return {tool.name: {"added_kib": median([row[tool.name] - row[bare.name] for row in rows])} for tool in tools}


def report(started, remembered):
    rows, over = [], []
    for name in remembered:
        rows.append([name, f"{started[name]['added_ms']:+.2f} ms", f"{remembered[name]['added_kib']:+.2f} KiB"])
    if started["lockjaw state"]["added_ms"] > START_BUDGET_MS:
        over.append(f"start-up: +{started['lockjaw state']['added_ms']:.2f} ms, over +{START_BUDGET_MS:.0f} ms")
    if round(remembered["lockjaw state"]["added_kib"], 1) > THREAD_BUDGET_KIB:
        over.append(f"memory per thread: {remembered['lockjaw state']['added_kib']:.2f} KiB, over {THREAD_BUDGET_KIB:.0f} KiB")
    return table(["", "start of /bin/true", "resident memory per thread"], rows), over
