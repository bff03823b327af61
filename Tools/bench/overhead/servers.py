"""Real servers under load, with and without the shim: memcached and MariaDB.

A server without the shim and one at each level are up at the same time, and take turns with a second of load: a slice. The
server has one half of the processors, the load the other. Where the scheduler may place both anywhere, one
slice does twice what the next does, by nothing but who came to sit beside whom; and with the server's processors busy to
the full, throughput is what a request costs the server. Servers are started anew for each run: where its memory came to lie is
worth a percent or two to a process, for as long as it lives.

At level `all` the arena says how many operations on locks a request takes. The server's processor time for a request stands
beside the throughput: that is what is left to compare where other programs take the processors away.
"""
import contextlib, os, pwd, re, shutil, signal, socket, subprocess, tempfile, time
from figures import interval, median, percent, percentile, table
from tools import Tool

SECONDS = 1
SLICES = 4  # of a server in each run

PROCESSORS = sorted(os.sched_getaffinity(0))
FOR_SERVER, FOR_LOAD = PROCESSORS[:len(PROCESSORS) // 2] or PROCESSORS, PROCESSORS[len(PROCESSORS) // 2:]


RATE, P99, TIME, OPERATIONS = range(4)


def on(processors, command):
    return ["taskset", "--cpu-list", ",".join(map(str, processors)), *command]


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


class Server:
    """A server process under a tool; ends with the block."""

    def __init__(self, tool, command, programs):
        self.counter = programs["operations", "plain"]
        self.directory = tool.environment.get("LOCKJAW_DIR") if tool.environment.get("LOCKJAW_RECORD") == "all" else None
        self.process = subprocess.Popen(on(FOR_SERVER, [*tool.prefix, *command]), env={**os.environ, **tool.environment},
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

    def so_far(self):
        """Seconds of processor time, and operations on locks or None."""
        with open(f"/proc/{self.process.pid}/stat") as line:
            fields = line.read().rsplit(")", 1)[1].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if self.directory is None:
            return seconds, None
        counted = subprocess.run([self.counter, self.directory, str(self.process.pid)], check=True, stdout=subprocess.PIPE, text=True).stdout
        return seconds, int(counted)

    def slice(self):
        """A second of load: requests a second, 99th percentile of their latency in µs, the server's processor time for each in µs,
        its operations on locks for each or None; RATE, P99, TIME, OPERATIONS."""
        seconds, operations = self.so_far()
        requests, took, p99 = self.load()
        seconds_after, operations_after = self.so_far()
        return (requests / took, p99, (seconds_after - seconds) / requests * 1e6,
                None if operations is None else (operations_after - operations) / requests)


class Memcached(Server):
    name = "memcached"
    problem = None if shutil.which("memcached") else "memcached is not installed"

    def __init__(self, tool, home, programs):
        self.client, self.port = programs["memcached_load", "plain"], free_port()
        super().__init__(tool, ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(self.port), "-t", "4", "-m", "64"], programs)
        wait_for(lambda: answers(self.port), 30, "memcached")

    @staticmethod
    def prepare(home, programs):
        pass

    def load(self):
        text = subprocess.run(on(FOR_LOAD, [self.client, str(self.port), "16", str(SECONDS)]), check=True, stdout=subprocess.PIPE, text=True).stdout
        per_second, _, p99 = text.split()
        return float(per_second) * SECONDS, SECONDS, float(p99)


class MariaDB(Server):
    name = "MariaDB"
    server = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    problem = None if server and shutil.which("sysbench") else "mariadb-server or sysbench is not installed"
    # It refuses to run as root.
    user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def __init__(self, tool, home, programs):
        self.socket = f"{home}/s"
        port = free_port()
        super().__init__(tool, [self.server, "--no-defaults", f"--datadir={home}/data", f"--socket={self.socket}", f"--port={port}",
                                "--bind-address=127.0.0.1", f"--user={self.user}", "--innodb-buffer-pool-size=256M",
                                "--skip-name-resolve", f"--pid-file={home}/pid", f"--log-error={home}/log"], programs)
        wait_for(lambda: answers(port), 60, "mariadbd")

    @classmethod
    def prepare(cls, home, programs):
        shutil.chown(home, cls.user)
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={home}/data", f"--user={cls.user}",
                        "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with cls(Tool("bare"), home, programs) as server:
            subprocess.run(["mariadb", "--no-defaults", f"--socket={server.socket}", "-uroot", "-e", "CREATE DATABASE sbtest"], check=True)
            subprocess.run([*server.sysbench(), "prepare"], check=True, stdout=subprocess.DEVNULL)

    def sysbench(self):
        return ["sysbench", "oltp_point_select", f"--mysql-socket={self.socket}", "--mysql-user=root", "--tables=2",
                "--table-size=10000", "--threads=8", f"--time={SECONDS}", "--histogram"]

    def load(self):
        text = subprocess.run(on(FOR_LOAD, [*self.sysbench(), "run"]), check=True, stdout=subprocess.PIPE, text=True).stdout
        requests = re.search(r"transactions:\s+(\d+)", text)
        took = re.search(r"total time:\s+([\d.]+)s", text)
        latencies = [(float(ms) * 1000, int(count)) for ms, count in re.findall(r"^ *([\d.]+) \|\** +(\d+)$", text, re.MULTILINE)]
        if requests is None or took is None or not latencies:
            raise RuntimeError(f"sysbench said something unexpected: {text}")
        return int(requests.group(1)), float(took.group(1)), percentile(latencies, 0.99)


def one_run(kind, tools, homes, programs, number):
    """What `kind` did under each tool, slice by slice: {name: [a slice's figures]}, all lists of one length."""
    with contextlib.ExitStack() as up:
        servers = {tool.name: up.enter_context(kind(tool, homes[tool.name], programs)) for tool in rotated(tools, number)}
        for server in servers.values():
            server.slice()  # warm: threads, the table's pages
        seen = {name: [] for name in servers}
        for turn in range(SLICES):
            for name in rotated(list(servers), turn):
                seen[name].append(servers[name].slice())
        return seen


def rotated(names, by):
    by %= len(names)
    return names[by:] + names[:by]


def runs_of(kind, tools, programs, runs):
    with contextlib.ExitStack() as kept:
        homes = {}
        for tool in tools:
            # Readable for the user that the server becomes.
            homes[tool.name] = home = tempfile.mkdtemp(prefix="lockjaw-server-")
            kept.callback(shutil.rmtree, home, ignore_errors=True)
            kind.prepare(home, programs)
        return [one_run(kind, tools, homes, programs, number) for number in range(runs)]


def measure(bare, tools, programs, runs):
    """Per server and tool: throughput, 99th percentile and processor time as shares of the bare server's, run by run."""
    result, missing = {}, []
    for kind in (Memcached, MariaDB):
        if kind.problem:
            missing.append(kind.problem)
            continue
        seen = runs_of(kind, [bare, *tools], programs, runs)

        def of(name, figure):
            """One value for each run."""
            return [median([one[figure] for one in run[name]]) for run in seen]

        for tool in tools:
            rates, tails, times = ([median([ours[i] / bares[i] for ours, bares in zip(run[tool.name], run[bare.name])]) for run in seen]
                                   for i in (RATE, P99, TIME))
            result.setdefault(kind.name, {})[tool.name] = {
                "bare_per_second": median(of(bare.name, RATE)), "bare_p99_us": median(of(bare.name, P99)),
                "throughput": median(rates), "throughput_interval": interval(rates),
                "p99": median(tails), "p99_interval": interval(tails),
                "bare_us": median(of(bare.name, TIME)), "us": median(of(tool.name, TIME)),
                "processor_time": median(times), "processor_time_interval": interval(times),
                "operations": median(of(tool.name, OPERATIONS)) if seen[0][tool.name][0][OPERATIONS] is not None else None,
                "runs": [{"bare": run[bare.name], "theirs": run[tool.name]} for run in seen]}
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
