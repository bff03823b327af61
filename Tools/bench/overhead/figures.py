"""Medians and their confidence, over paired runs."""
import random, statistics


def median(values):
    return statistics.median(values)


def interval(values, resamples=2000, seed=1):
    """The 95 % bootstrap interval of the median of `values`, (low, high)."""
    generator = random.Random(seed)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(resamples))
    return medians[int(resamples * 0.025)], medians[int(resamples * 0.975) - 1]


def percentile(histogram, share):
    """The value below which `share` of what `histogram` counts lies; [(upper bound, count)], ascending, interpolated inside a bucket."""
    left = share * sum(count for _, count in histogram)
    lower = histogram[0][0]
    for upper, count in histogram:
        if count >= left:
            return lower + (upper - lower) * left / count
        left, lower = left - count, upper
    return lower


def percent(ratio):
    return f"{100 * ratio:.1f} %"


def table(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
