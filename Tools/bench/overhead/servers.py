"""Real servers under load, with and without the shim: memcached and MariaDB, in paired runs.

At level `all` the arena says how many operations on locks a request takes. Where other programs have the processors,
throughput says how the server slept and not what it cost; so the server's own processor time for each request stands
beside it.
"""
import os, pwd, re, shutil, signal, socket, subprocess, tempfile, time
from figures import interval, median, percent, table

SECONDS = 4
# The least share of the throughput that must be left, and the most that the 99th percentile may grow.
BUDGETS = {"lockjaw state": (0.99, 1.02), "lockjaw all": (0.95, 1.05)}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come up within {seconds} s")
        time.sleep(0.05)


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Load:
    """What a server and its lock operations were worth while it was under load."""

    def __init__(self, server, tool, programs):
        self.pid, self.counter = server.process.pid, programs["operations", "plain"]
        self.directory = tool.environment.get("LOCKJAW_DIR") if tool.environment.get("LOCKJAW_RECORD") == "all" else None

    def so_far(self):
        with open(f"/proc/{self.pid}/stat") as line:
            fields = line.read().rsplit(")", 1)[1].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if self.directory is None:
            return seconds, None
        counted = subprocess.run([self.counter, self.directory, str(self.pid)], check=True, stdout=subprocess.PIPE, text=True).stdout
        return seconds, int(counted.split()[0])

    def __enter__(self):
        self.before = self.so_far()
        return self

    def __exit__(self, *_):
        self.after = self.so_far()

    def per_request(self, requests):
        """Microseconds of processor time, and operations or None."""
        (seconds, operations), (seconds_after, operations_after) = self.before, self.after
        return ((seconds_after - seconds) / requests * 1e6,
                None if operations is None else (operations_after - operations) / requests)


class Server:
    """A server process under a tool; ends with the block."""

    def __init__(self, tool, command):
        self.process = subprocess.Popen([*tool.prefix, *command], env={**os.environ, **tool.environment},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Memcached:
    name = "memcached"
    problem = None if shutil.which("memcached") else "memcached is not installed"

    def __init__(self, directory, programs):
        self.programs, self.load = programs, programs["memcached_load", "plain"]

    def measure(self, tool):
        port = free_port()
        with Server(tool, ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(port), "-t", "4", "-m", "64"]) as server:
            wait_for(lambda: answers(port), 30, "memcached")
            with Load(server, tool, self.programs) as load:
                text = subprocess.run([self.load, str(port), "16", str(SECONDS)], check=True, stdout=subprocess.PIPE, text=True).stdout
        per_second, _, p99 = text.split()
        return float(per_second), float(p99), *load.per_request(float(per_second) * SECONDS)

    def end(self):
        pass


class MariaDB:
    name = "MariaDB"
    server = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    problem = None if server and shutil.which("sysbench") else "mariadb-server or sysbench is not installed"

    def __init__(self, directory, programs):
        self.programs = programs
        # A directory of its own, readable for the user that the server becomes: it refuses to run as root.
        self.home = tempfile.mkdtemp(prefix="mariadb-")
        self.user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        shutil.chown(self.home, self.user)
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.home}/data", f"--user={self.user}",
                        "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.is_prepared = False

    def measure(self, tool):
        port = free_port()
        command = [self.server, "--no-defaults", f"--datadir={self.home}/data", f"--socket={self.home}/s", f"--port={port}",
                   "--bind-address=127.0.0.1", f"--user={self.user}", "--innodb-buffer-pool-size=256M", "--skip-name-resolve",
                   f"--pid-file={self.home}/pid", f"--log-error={self.home}/log"]
        with Server(tool, command) as server:
            wait_for(lambda: answers(port), 60, "mariadbd")
            sysbench = ["sysbench", "oltp_point_select", f"--mysql-socket={self.home}/s", "--mysql-user=root", "--tables=2",
                        "--table-size=10000", "--threads=8", f"--time={SECONDS}", "--percentile=99"]
            if not self.is_prepared:
                subprocess.run(["mariadb", "--no-defaults", f"--socket={self.home}/s", "-uroot", "-e", "CREATE DATABASE sbtest"], check=True)
                subprocess.run([*sysbench, "prepare"], check=True, stdout=subprocess.DEVNULL)
                self.is_prepared = True
            with Load(server, tool, self.programs) as load:
                text = subprocess.run([*sysbench, "run"], check=True, stdout=subprocess.PIPE, text=True).stdout
        requests = re.search(r"transactions:\s+(\d+)", text)
        per_second = re.search(r"transactions:\s+\d+\s+\(([\d.]+) per sec", text)
        p99 = re.search(r"99th percentile:\s+([\d.]+)", text)
        if requests is None or per_second is None or p99 is None:
            raise RuntimeError(f"sysbench said something unexpected: {text}")
        return float(per_second.group(1)), float(p99.group(1)) * 1000, *load.per_request(int(requests.group(1)))

    def end(self):
        shutil.rmtree(self.home, ignore_errors=True)


def measure(bare, tools, programs, directory, runs):
    """Per server and tool: throughput and 99th percentile as shares of the bare run beside it."""
    result, missing = {}, []
    for kind in (Memcached, MariaDB):
        if kind.problem:
            missing.append(kind.problem)
            continue
        server = kind(directory, programs)
        try:
            server.measure(bare)  # warm: files, the table's pages
            pairs = {tool.name: [] for tool in tools}
            for run in range(runs):
                order = [bare, *tools] if run % 2 == 0 else [*reversed(tools), bare]
                row = {tool.name: server.measure(tool) for tool in order}
                for tool in tools:
                    pairs[tool.name].append((row[bare.name], row[tool.name]))
        finally:
            server.end()
        for name, seen in pairs.items():
            rates, tails, times = ([theirs[i] / raw[i] for raw, theirs in seen] for i in (0, 1, 2))
            counted = [theirs[3] for _, theirs in seen if theirs[3] is not None]
            result.setdefault(server.name, {})[name] = {
                "bare_per_second": median([raw[0] for raw, _ in seen]), "bare_p99_us": median([raw[1] for raw, _ in seen]),
                "throughput": median(rates), "throughput_interval": interval(rates),
                "p99": median(tails), "p99_interval": interval(tails),
                "bare_us": median([raw[2] for raw, _ in seen]), "us": median([theirs[2] for _, theirs in seen]),
                "processor_time": median(times), "processor_time_interval": interval(times),
                "operations": median(counted) if counted else None, "raw": seen}
    return result, missing


def report(result):
    rows, over = [], []
    for server, tools in result.items():
        for name, figure in tools.items():
            (low, high), (tail_low, tail_high) = figure["throughput_interval"], figure["p99_interval"]
            time_low, time_high = figure["processor_time_interval"]
            counted = f", {figure['operations']:.1f} operations on locks" if figure["operations"] is not None else ""
            rows.append([f"{server}, {name}", f"{figure['bare_per_second']:,.0f}/s, {figure['bare_p99_us']:,.0f} µs",
                         f"{percent(figure['throughput'])} ({percent(low)} – {percent(high)})",
                         f"{percent(figure['p99'])} ({percent(tail_low)} – {percent(tail_high)})",
                         f"{figure['us']:.2f} µs: {percent(figure['processor_time'])} ({percent(time_low)} – {percent(time_high)}) "
                         f"of the bare {figure['bare_us']:.2f} µs{counted}"])
            least, most = BUDGETS.get(name, (0, float("inf")))
            # Said over its budget when the interval as a whole is: a median alone is noise of that size.
            if high < least:
                over.append(f"{server}, {name}: throughput {percent(figure['throughput'])}, less than {percent(least)}")
            if tail_low > most:
                over.append(f"{server}, {name}: 99th percentile {percent(figure['p99'])}, more than {percent(most)}")
    return table(["", "bare: throughput, p99", "throughput (95 % interval)", "p99 latency (95 % interval)",
                  "the server's processor time a request (95 % interval)"], rows), over
