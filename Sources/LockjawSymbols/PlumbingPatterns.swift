/// What is plumbing, as data. One line each, with whose it is; matched against demangled names.
enum PlumbingPatterns {
  /// Modules of which every function is plumbing: file name prefixes.
  static let cLibraries = [
    "libc.so", "libc-2.", "libpthread.so", "libpthread-2.", "ld-linux", "ld-2.", "librt.so", "ld-musl",
  ]

  /// Runtimes that programs enter through, and whose functions nobody's bug is in: even named ones fold.
  static let closedLibraries = [
    "libgcc_s.so", "libabsl_synchronization.so", "libdispatch.so", "libBlocksRuntime.so", "libswift_Concurrency.so",
    "libtsan.so", "libasan.so",
    "libubsan.so",
  ]

  /// Modules whose nameless addresses are plumbing (libstdc++'s thread entry has no symbol).
  static let libraries =
    closedLibraries + [
      "libstdc++.so", "libc++.so", "libswiftCore.so", "libswiftSynchronization.so", "libFoundation",
      "lib_FoundationICU",
    ]

  /// Whole names.
  static let functions: Set<String> = [
    // start of a program or thread (statically linked programs have them in their own file)
    "_start", "start_thread", "__clone", "clone", "clone3", "__clone3", "__libc_start_main", "__libc_start_call_main",
    "__libc_start_main_impl", "__restore_rt",
    // glibc's waiting
    "__lll_lock_wait", "__lll_lock_wait_private", "futex_wait", "__futex_abstimed_wait_common",
    "__futex_abstimed_wait_common64", "__GI___lll_lock_wait", "syscall", "__syscall_cancel",
    "__internal_syscall_cancel",
    // C11 threads
    "mtx_lock", "mtx_trylock", "mtx_timedlock", "mtx_unlock", "cnd_wait", "cnd_timedwait", "cnd_signal",
    "cnd_broadcast", "thrd_join", "call_once", "sem_wait", "sem_timedwait", "sem_clockwait", "sem_post",
    // C++ runtime
    "__cxa_guard_acquire", "execute_native_thread_routine", "__cxa_throw", "_Unwind_RaiseException",
    // Rust's entry
    "__rust_begin_short_backtrace", "__rust_end_short_backtrace", "__rust_try", "rust_begin_unwind",
    // lockjaw.h
    "lockjaw_wait_begin", "lockjaw_wait_begin_to_read", "lockjaw_wait_begin_to_write", "lockjaw_wait_end",
    "lockjaw_acquired", "lockjaw_acquired_to_read", "lockjaw_acquired_to_write", "lockjaw_releasing",
    // Objective-C-less Foundation's locks
    "Foundation.NSLock.lock() -> ()", "Foundation.NSRecursiveLock.lock() -> ()", "Foundation.NSCondition.wait() -> ()",
    "Foundation.NSCondition.lock() -> ()", "Foundation.NSConditionLock.lock() -> ()", "@objc NSLock.lock()",
    // Dispatch
    "dispatch_sync", "dispatch_sync_f", "dispatch_async", "dispatch_async_f", "dispatch_barrier_sync", "dispatch_once",
    "dispatch_apply", "dispatch_main", "dispatch_group_wait", "dispatch_semaphore_wait",
  ]

  /// Beginnings of names, without a template's return type and without the `<` before a Rust type.
  static let prefixes: [String] = [
    // pthreads and what sanitizers or static linking leave of them
    "pthread_", "__pthread_", "___pthread_", "__GI___pthread_", "__new_sem_", "__sem_", "__interceptor_pthread_",
    // libstdc++: gthreads, locks and guards, conditions, futures, threads, calls through function objects
    "__gthread_", "__gthrw_", "std::mutex::", "std::__mutex_base::", "std::recursive_mutex::",
    "std::__recursive_mutex_base::", "std::timed_mutex::", "std::recursive_timed_mutex::", "std::__timed_mutex_impl<",
    "std::shared_mutex::", "std::shared_timed_mutex::", "std::__shared_mutex_pthread::", "std::__glibcxx_rwlock_",
    "std::lock_guard<", "std::unique_lock<", "std::scoped_lock<", "std::shared_lock<", "std::lock<", "std::try_lock<",
    "std::__detail::__lock_impl<", "std::__detail::__try_lock_impl<", "std::__lock_impl<", "std::__try_lock_impl<",
    "std::condition_variable::", "std::condition_variable_any::", "std::_V2::condition_variable_any::",
    "std::__condvar::", "std::thread::", "std::jthread::", "std::this_thread::", "std::__invoke", "std::invoke<",
    "std::__apply_impl<", "std::apply<", "std::function<", "std::_Function_handler<", "std::_Function_base::",
    "std::call_once<", "std::once_flag::", "std::_Mem_fn", "std::reference_wrapper<", "std::_Bind<",
    "std::__future_base::", "std::future<", "std::shared_future<", "std::__basic_future<", "std::promise<",
    "std::packaged_task<", "std::async<", "std::__atomic_futex_unsigned", "std::__atomic_base<", "std::atomic<",
    "std::atomic_wait", "std::__atomic_wait", "std::__detail::__platform_wait", "std::__detail::__waiter",
    "std::counting_semaphore<", "std::__atomic_semaphore::", "std::latch::", "std::barrier<", "std::__tree_barrier",
    // libc++
    "std::__1::mutex::", "std::__1::recursive_mutex::", "std::__1::lock_guard<", "std::__1::unique_lock<",
    "std::__1::shared_mutex::", "std::__1::shared_lock<", "std::__1::scoped_lock<", "std::__1::condition_variable::",
    "std::__1::thread::", "std::__1::__thread_", "std::__1::__invoke", "std::__1::__libcpp_", "std::__1::function<",
    "std::__1::__cxx_atomic_", "std::__1::__atomic_base<", "std::__1::__atomic_wait", "std::__1::atomic<",
    "std::__1::atomic_flag::", "std::__1::atomic_wait", "std::__1::latch::", "std::__1::barrier<",
    "std::__1::counting_semaphore<", "std::__1::__atomic_semaphore_base::",
    // Rust: std's locks, threads, runtime and the calls through closures
    "std::sys::", "std::sys_common::", "std::sync::", "std::rt::", "std::panicking::", "std::panic::",
    "std::thread::", "core::ops::function::", "core::panic::unwind_safe::", "core::ptr::drop_in_place",
    "alloc::boxed::", "core::sync::atomic::", "std::backtrace::", "core::result::Result<", "core::option::Option<",
    "&F as core::ops::function::", "&mut F as core::ops::function::", "core::hint::",
    // parking_lot and lock_api
    "parking_lot::", "parking_lot_core::", "lock_api::",
    // tokio's scheduler, between a thread's start and the task it polls
    "tokio::runtime::", "tokio::loom::", "tokio::macros::", "mio::",
    // sanitizers that are linked statically
    "__tsan::", "__asan::", "__sanitizer::",
    // Swift: runtime, Synchronization, Foundation's locks, Dispatch
    "swift_", "_swift_", "swift::", "Synchronization.", "Foundation.NSLock.",
    "Foundation.NSRecursiveLock.", "Foundation.NSCondition.", "Foundation.NSConditionLock.",
    "Foundation.(NSThreadStart", "Foundation.Thread.main()",
    "_dispatch_", "__swift_", "$s15Synchronization", "reabstraction thunk helper",
    "partial apply forwarder for reabstraction thunk",
  ]

  /// Parts of names that identify glue between a runtime and a function of the caller's, which may be inlined into it.
  static let glue: [String] = [
    "std::thread::_Invoker<", "std::thread::_State_impl<", " as core::ops::function::FnOnce<",
    " as core::ops::function::FnMut<", " as core::ops::function::Fn<", "::__rust_begin_short_backtrace", "::_M_invoke(",
    "in Synchronization.Mutex.", "of Synchronization.Mutex.", ".$main() -> ()",
  ]

  /// Parts of names that identify plumbing whose beginning is the caller's type, or changes with each release.
  static let fragments: [String] =
    glue + [
      "std::sys::backtrace::__rust_", "std::sys_common::backtrace::__rust_",
      // abseil, whose names have a namespace for each release
      "::synchronization_internal::", "::Mutex::Lock()", "::Mutex::LockSlow", "::Mutex::ReaderLock()",
      "::Mutex::WriterLock()", "::Mutex::Await", "::Mutex::Block(", "::CondVar::Wait", "::MutexLock::",
      "::ReaderMutexLock::", "::WriterMutexLock::", "::ReleasableMutexLock::",
    ]

  /// CPython's interpreter loop, calls, start and locks. Some of these names are anybody's (`thread_run`), so they
  /// count in its own modules only; the program's Python code is not on this stack in any case.
  static let pythonModules = ["libpython", "python"]
  static let pythonPrefixes: [String] = [
    "_PyEval_", "PyEval_", "_PyObject_", "PyObject_", "_PyFunction_", "_PyVectorcall_", "PyVectorcall_", "_PyRun_",
    "PyRun_", "_Py_", "Py_", "method_vectorcall", "cfunction_", "_PyCFunction", "pymain_", "run_mod",
    "run_eval_code_obj",
    "pyrun_", "slot_tp_call", "type_call", "object_vacall", "vectorcall_", "builtin_exec", "do_call_core", "thread_run",
    "pythread_wrapper", "acquire_timed", "rlock_acquire", "lock_PyThread_", "PyThread_", "take_gil", "drop_gil",
  ]
}
