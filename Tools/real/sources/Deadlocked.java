import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.ReentrantLock;

/** Two pairs of threads that deadlock: one over monitors, one over ReentrantLocks. Prints "stuck" when both hold one. */
public class Deadlocked {
  interface Step { void run(Runnable then); }

  private static Step monitor() {
    var object = new Object();
    return then -> { synchronized (object) { then.run(); } };
  }

  private static Step lock() {
    var lock = new ReentrantLock();
    return then -> { lock.lock(); try { then.run(); } finally { lock.unlock(); } };
  }

  private static void pair(String name, Step first, Step second) throws InterruptedException {
    var both = new CountDownLatch(2);
    Runnable meet = () -> { both.countDown(); try { both.await(); } catch (InterruptedException stop) { } };
    new Thread(() -> first.run(() -> { meet.run(); second.run(() -> { }); }), name + "-1").start();
    new Thread(() -> second.run(() -> { meet.run(); first.run(() -> { }); }), name + "-2").start();
    both.await();
  }

  public static void main(String[] arguments) throws Exception {
    pair("monitor", monitor(), monitor());
    pair("lock", lock(), lock());
    System.out.println("stuck");
  }
}
