"""What machine a figure is from."""
import os, platform


def description():
    with open("/proc/cpuinfo") as lines:
        model = next((l.split(":", 1)[1].strip() for l in lines if l.startswith("model name")), "unknown processor")
    return (f"{os.cpu_count()} × {model}, Linux {platform.release()}, {' '.join(platform.libc_ver())}, "
            f"load {os.getloadavg()[0]:.1f}")
