import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;

/** An HTTP server whose 16 threads meet at a monitor, a ReentrantLock and a queue on every request. */
public class Contended {
  private static final Object monitor = new Object();
  private static final ReentrantLock lock = new ReentrantLock();
  private static final ArrayBlockingQueue<Long> queue = new ArrayBlockingQueue<>(64);
  private static long count, taken;

  public static void main(String[] arguments) throws Exception {
    var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 128);
    server.setExecutor(Executors.newFixedThreadPool(16));
    server.createContext("/", exchange -> {
      synchronized (monitor) { count++; }
      lock.lock();
      try { queue.offer(count); } finally { lock.unlock(); }
      byte[] answer = "hello\n".getBytes();
      exchange.sendResponseHeaders(200, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    var drain = new Thread(() -> {
      try { for (;;) { queue.take(); taken++; } } catch (InterruptedException stop) { }
    }, "drain");
    drain.setDaemon(true);
    drain.start();
    server.start();
  }
}
