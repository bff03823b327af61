// Monitors, reader-writer locks, events, tasks and timers over shared counters, while garbage is made so that the collector
// stops all threads again and again. Prints a number that does not depend on the order.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

static class Threads {
  static long sum;
  static readonly object gate = new object();
  static readonly Queue<int> queue = new Queue<int>();
  static readonly ReaderWriterLockSlim table = new ReaderWriterLockSlim();
  static readonly Dictionary<int, string> names = new Dictionary<int, string>();
  static readonly SemaphoreSlim permits = new SemaphoreSlim(3);

  static void Consume() {
    for (;;) {
      int item;
      lock (gate) {
        while (queue.Count == 0) Monitor.Wait(gate, 5000);
        item = queue.Dequeue();
      }
      if (item < 0) return;
      permits.Wait();
      var garbage = new List<string>();
      for (int i = 0; i < 60; i++) garbage.Add(item.ToString() + i);
      table.EnterUpgradeableReadLock();
      if (!names.ContainsKey(item % 50)) { table.EnterWriteLock(); names[item % 50] = garbage[0]; table.ExitWriteLock(); }
      table.ExitUpgradeableReadLock();
      permits.Release();
      Interlocked.Add(ref sum, item);
    }
  }

  static void Main() {
    for (int round = 0; round < 4; round++) {
      var threads = new List<Thread>();
      for (int i = 0; i < 6; i++) { var thread = new Thread(Consume); thread.Start(); threads.Add(thread); }
      for (int item = 1; item <= 4000; item++) lock (gate) { queue.Enqueue(item); Monitor.Pulse(gate); }
      lock (gate) { for (int i = 0; i < 6; i++) queue.Enqueue(-1); Monitor.PulseAll(gate); }
      var tasks = new List<Task>();
      for (int i = 0; i < 40; i++) { int n = i; tasks.Add(Task.Run(() => { Thread.Sleep(1); Interlocked.Add(ref sum, n); })); }
      GC.Collect();
      Task.WaitAll(tasks.ToArray());
      foreach (var thread in threads) thread.Join();
    }
    Console.WriteLine("sum " + sum + " names " + names.Count);
  }
}
