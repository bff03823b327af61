// Load on a memcached on this machine: connections that each send a request and wait for its answer, nine reads to a write.
//
//   memcached_load PORT CONNECTIONS SECONDS
//
// Prints requests per second, and the median and 99th percentile of their latencies in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEYS = 10000, VALUE_BYTES = 100, CONNECTIONS_MAX = 256, BUCKETS = 100000 };

static int port;
static atomic_bool ends;
// Latencies in steps of a microsecond; the last bucket takes all that are longer.
static uint32_t latencies[CONNECTIONS_MAX][BUCKETS];

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// An answer ends with one of these lines; none of them is part of a value here.
static int is_complete(const char *answer, size_t length) {
  static const char *const ends_with[] = {"END\r\n", "STORED\r\n"};
  for (int i = 0; i < 2; i++) {
    size_t n = strlen(ends_with[i]);
    if (length >= n && memcmp(answer + length - n, ends_with[i], n) == 0) return 1;
  }
  return 0;
}

static void *connection(void *argument) {
  uint32_t *mine = latencies[(intptr_t)argument], random = 2463534242u + (uint32_t)(intptr_t)argument;
  int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (s < 0 || connect(s, (struct sockaddr *)&address, sizeof address) != 0) fail("cannot connect to memcached");
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  char request[512], answer[4096], value[VALUE_BYTES + 1];
  memset(value, 'v', VALUE_BYTES);
  value[VALUE_BYTES] = 0;
  while (!atomic_load_explicit(&ends, memory_order_relaxed)) {
    random ^= random << 13, random ^= random >> 17, random ^= random << 5;
    unsigned key = random % KEYS;
    int length = random / KEYS % 10 == 0
                     ? snprintf(request, sizeof request, "set key:%u 0 0 %d\r\n%s\r\n", key, VALUE_BYTES, value)
                     : snprintf(request, sizeof request, "get key:%u\r\n", key);
    uint64_t sent = now_ns();
    if (write(s, request, (size_t)length) != length) fail("cannot write to memcached");
    size_t got = 0;
    while (!is_complete(answer, got)) {
      ssize_t n = read(s, answer + got, sizeof answer - got);
      if (n <= 0) fail("memcached closed the connection");
      got += (size_t)n;
    }
    uint64_t microseconds = (now_ns() - sent) / 1000;
    mine[microseconds < BUCKETS ? microseconds : BUCKETS - 1]++;
  }
  close(s);
  return NULL;
}

// The latency below which `left` of all requests were answered, interpolated inside its microsecond.
static double percentile(int connections, double left) {
  for (int b = 0; b < BUCKETS; b++) {
    double count = 0;
    for (int i = 0; i < connections; i++) count += latencies[i][b];
    if (count > 0 && count >= left) return b + left / count;
    left -= count;
  }
  return BUCKETS;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  port = atoi(argv[1]);
  int connections = atoi(argv[2]);
  double seconds = atof(argv[3]);
  if (connections < 1 || connections > CONNECTIONS_MAX || seconds <= 0) return 2;
  pthread_t ids[CONNECTIONS_MAX];
  uint64_t begin = now_ns();
  for (intptr_t i = 0; i < connections; i++) pthread_create(&ids[i], NULL, connection, (void *)i);
  usleep((useconds_t)(seconds * 1e6));
  atomic_store(&ends, 1);
  for (int i = 0; i < connections; i++) pthread_join(ids[i], NULL);
  double took = (double)(now_ns() - begin) / 1e9;
  uint64_t requests = 0;
  for (int i = 0; i < connections; i++)
    for (int b = 0; b < BUCKETS; b++) requests += latencies[i][b];
  printf("%.1f %.2f %.2f\n", (double)requests / took, percentile(connections, 0.5 * (double)requests),
         percentile(connections, 0.99 * (double)requests));
  return 0;
}
