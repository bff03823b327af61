// Work shared by OpenMP's teams, critical sections, locks and barriers. Prints numbers that do not depend on the order.
#include <omp.h>
#include <stdio.h>

int main(void) {
  long sum = 0, pairs = 0, critical = 0, tasks = 0, ordered = 0;
  omp_lock_t lock;
  omp_nest_lock_t nested;
  omp_init_lock(&lock);
  omp_init_nest_lock(&nested);
  for (int round = 0; round < 300; round++) {
#pragma omp parallel num_threads(6)
    {
#pragma omp for ordered schedule(dynamic, 1)
      for (int i = 0; i < 60; i++) {
        omp_set_lock(&lock);
        sum += i;
        omp_unset_lock(&lock);
        omp_set_nest_lock(&nested);
        omp_set_nest_lock(&nested);
        pairs++;
        omp_unset_nest_lock(&nested);
        omp_unset_nest_lock(&nested);
#pragma omp critical
        critical += 2;
#pragma omp ordered
        ordered = ordered * 31 + i;
      }
#pragma omp barrier
#pragma omp single
      for (int i = 0; i < 20; i++) {
#pragma omp task shared(tasks)
#pragma omp atomic
        tasks += 1;
      }
    }
  }
  printf("%ld %ld %ld %ld %ld\n", sum, pairs, critical, tasks, ordered);
  omp_destroy_lock(&lock);
  omp_destroy_nest_lock(&nested);
  return 0;
}
