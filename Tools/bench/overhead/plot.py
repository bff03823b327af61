"""A picture of what each tool adds to an uncontended mutex pair: bars on a logarithmic scale, as SVG."""
from math import log10
from xml.sax.saxutils import escape

WIDTH, LABEL, ROW, TOP = 720, 190, 26, 46


def bars(pairs, bare, kind, machine):
    """SVG text. `pairs` as pairs.measure gives it; a tool that did not measure `kind` has no bar."""
    figures = [(name, tool[kind]["added_ns"]) for name, tool in pairs.items() if name != bare and kind in tool]
    largest = max([10.0, *(added for _, added in figures)])
    scale = (WIDTH - LABEL - 110) / log10(largest * 1.05)
    height = TOP + ROW * len(figures) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">',
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
             f'<text x="12" y="20" font-weight="bold">Added to an uncontended {escape(kind)} pair of {pairs[bare][kind]["ns"]:.1f} ns, '
             'nanoseconds, logarithmic</text>',
             f'<text x="12" y="37" font-size="11" fill="#555555">{escape(machine)}</text>']
    for i, (name, added) in enumerate(figures):
        y = TOP + ROW * i
        width = max(2.0, log10(max(added, 1.0)) * scale)
        colour = "#2b6cb0" if name.startswith("lockjaw") else "#a0aec0"
        label = f"+{added:,.1f}" if added < 100 else f"+{added:,.0f}"
        parts += [f'<text x="{LABEL - 8}" y="{y + 17}" text-anchor="end">{escape(name)}</text>',
                  f'<rect x="{LABEL}" y="{y + 4}" width="{width:.1f}" height="{ROW - 8}" fill="{colour}"/>',
                  f'<text x="{LABEL + width + 6:.1f}" y="{y + 17}">{label}</text>']
    return "\n".join([*parts, "</svg>", ""])
