/// Functions that a run does not enter, by what is done in their place.
enum Stub: Hashable, Sendable {
  /// The landing pad is through: unwinding goes on in the caller.
  case resumeUnwinding
  /// Does not return: an abort, a throw, the end of the thread.
  case end
  case beginCatch
  case allocate, allocateZeroed, reallocate, allocateAligned, storeAllocated
  case copy, fill, compare, length
  /// Sleeps, talks to the kernel or to another thread, or frees: nothing, and zero is returned.
  case skip
  /// `clock_gettime`: some time.
  case clock
  /// `syscall(2)`: of a futex call, which word it is about.
  case systemCall
  case lock(LockOperation)
  /// Like a lock function, with the lock as second argument, which the caller holds.
  case conditionWait

  /// Exact names, as dynamic symbol tables have them.
  static let byName: [String: Stub] = {
    var table: [String: Stub] = [:]
    func add(_ stub: Stub, _ names: String) { for name in names.split(separator: " ") { table[String(name)] = stub } }
    add(.resumeUnwinding, "_Unwind_Resume")
    add(
      .end,
      """
      abort exit _exit _Exit quick_exit pthread_exit __assert_fail __stack_chk_fail __fortify_fail longjmp _longjmp \
      siglongjmp __longjmp_chk _Unwind_RaiseException _Unwind_Resume_or_Rethrow _Unwind_ForcedUnwind __cxa_throw __cxa_rethrow \
      __cxa_call_unexpected __cxa_call_terminate _ZSt9terminatev raise
      """)
    add(.beginCatch, "__cxa_begin_catch __cxa_get_exception_ptr")
    add(.allocate, "malloc valloc")
    add(.allocateZeroed, "calloc")
    add(.reallocate, "realloc")
    add(.allocateAligned, "aligned_alloc memalign")
    add(.storeAllocated, "posix_memalign")
    add(.copy, "memcpy memmove __memcpy_chk __memmove_chk")
    add(.fill, "memset __memset_chk")
    add(.compare, "memcmp bcmp")
    add(.length, "strlen")
    add(
      .skip,
      """
      free cfree __cxa_end_catch __cxa_free_exception _Unwind_DeleteException write writev read readv pread pread64 pwrite \
      pwrite64 send sendto sendmsg recv recvfrom recvmsg poll ppoll select pselect epoll_wait epoll_pwait close open open64 openat \
      fsync accept accept4 connect sleep usleep nanosleep clock_nanosleep sched_yield pause sigwait sigtimedwait sigwaitinfo \
      gettimeofday time munmap mmap mmap64 madvise mprotect sem_wait sem_timedwait sem_clockwait sem_trywait sem_post \
      pthread_join pthread_timedjoin_np pthread_create pthread_detach pthread_cond_signal pthread_cond_broadcast \
      pthread_cond_destroy pthread_cond_init pthread_mutex_destroy pthread_mutex_init pthread_rwlock_destroy \
      pthread_rwlock_init pthread_barrier_wait pthread_once pthread_kill waitpid wait4 fork vfork sigaction sigprocmask \
      pthread_sigmask fflush fwrite fputs puts printf fprintf vfprintf dprintf perror fclose fopen getenv secure_getenv \
      eventfd_write eventfd_read ioctl fcntl getrandom dl_iterate_phdr
      """)
    add(.clock, "clock_gettime __vdso_clock_gettime")
    add(.systemCall, "syscall")
    add(
      .lock(.acquire(.exclusive)),
      """
      pthread_mutex_lock pthread_mutex_trylock pthread_mutex_timedlock pthread_mutex_clocklock __pthread_mutex_lock \
      __pthread_mutex_trylock pthread_spin_lock pthread_spin_trylock mtx_lock mtx_trylock mtx_timedlock
      """)
    add(
      .lock(.release(.exclusive)),
      "pthread_mutex_unlock __pthread_mutex_unlock pthread_spin_unlock mtx_unlock")
    add(
      .lock(.acquire(.read)),
      """
      pthread_rwlock_rdlock pthread_rwlock_tryrdlock pthread_rwlock_timedrdlock pthread_rwlock_clockrdlock \
      __pthread_rwlock_rdlock __pthread_rwlock_tryrdlock
      """)
    add(
      .lock(.acquire(.write)),
      """
      pthread_rwlock_wrlock pthread_rwlock_trywrlock pthread_rwlock_timedwrlock pthread_rwlock_clockwrlock \
      __pthread_rwlock_wrlock __pthread_rwlock_trywrlock
      """)
    add(.lock(.release(nil)), "pthread_rwlock_unlock __pthread_rwlock_unlock")
    add(.conditionWait, "pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait cnd_wait cnd_timedwait")
    return table
  }()
}
