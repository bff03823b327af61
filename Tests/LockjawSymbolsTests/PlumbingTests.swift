import LockjawModel
import LockjawSymbols
import Testing

@Suite("Plumbing")
struct PlumbingTests {
  @Test(
    "Locks, guards, thread entries and runtimes fold",
    arguments: [
      ("pthread_mutex_lock", "liblockjaw.so"), (nil, "liblockjaw_preload.so"), ("anything", "libc.so.6"),
      (nil, "ld-linux-x86-64.so.2"), ("clock_gettime", "[vdso]"), ("start_thread", "static-program"),
      ("__lll_lock_wait", "static-program"), ("pthread_rwlock_wrlock", "static-program"), (nil, "libstdc++.so.6.0.30"),
      ("std::mutex::lock()", "a.out"), ("__gthread_mutex_lock(pthread_mutex_t*)", "a.out"),
      ("std::lock_guard<std::mutex>::lock_guard(std::mutex&)", "a.out"),
      ("std::unique_lock<std::shared_mutex>::lock()", "a.out"),
      ("void std::__invoke_impl<void, main::{lambda()#1}>(std::__invoke_other, main::{lambda()#1}&&)", "a.out"),
      ("std::__invoke_result<Task>::type std::__invoke<Task>(Task&&)", "a.out"),
      ("std::thread::_State_impl<std::thread::_Invoker<std::tuple<Task> > >::_M_run()", "a.out"),
      ("std::condition_variable::wait(std::unique_lock<std::mutex>&)", "libstdc++.so.6.0.30"),
      ("std::sys::pal::unix::futex::futex_wait", "relay"),
      ("<std::sys::sync::mutex::futex::Mutex>::lock_contended", "relay"),
      ("std::sync::poison::rwlock::RwLock<T>::write", "relay"),
      ("core::ops::function::FnOnce::call_once{{vtable.shim}}", "relay"),
      ("<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once", "relay"),
      ("parking_lot::raw_rwlock::RawRwLock::lock_exclusive_slow", "relay"),
      ("<lock_api::mutex::Mutex<R,T>>::lock", "relay"), ("__rust_try", "relay"),
      ("Synchronization._MutexHandle._lockSlow(Swift.UInt32) -> ()", "libswiftSynchronization.so"),
      ("Synchronization.Mutex.withLock<A, B>(() -> A) -> A", "a.out"),
      ("Foundation.NSLock.lock() -> ()", "libFoundation.so"), ("_dispatch_lane_serial_drain", "libdispatch.so"),
      ("static m.M.$main() -> ()", "m"), ("reabstraction thunk helper from @escaping () -> () to () -> ()", "m"),
      ("_PyEval_EvalFrameDefault", "libpython3.11.so.1.0"), ("PyObject_Vectorcall", "python3.11"),
      ("lock_PyThread_acquire_lock", "python3.11"),
      ("AbslInternalPerThreadSemWait_debian3", "libabsl_synchronization.so.20220623.0.0"),
      ("absl::lts_20230802::MutexLock::MutexLock(absl::lts_20230802::Mutex*)", "static-program"),
      ("absl::lts_20230802::Mutex::LockSlowLoop(absl::lts_20230802::SynchWaitParams*, int)", "static-program"),
    ] as [(String?, String)])
  func folds(function: String?, module: String) {
    #expect(Plumbing.contains(function: function, module: module))
  }

  @Test(
    "The program's own code does not",
    arguments: [
      ("main", "a.out"), ("transfer", "a.out"), (nil, "a.out"), (nil, "libfoo.so"),
      ("bank::Account<std::mutex>::deposit(long)", "a.out"), ("main::{lambda()#1}::operator()() const", "a.out"),
      ("void process<std::lock_guard<std::mutex> >(std::lock_guard<std::mutex>&)", "a.out"),
      ("std::vector<int>::push_back(int const&)", "a.out"), ("(anonymous namespace)::audit()", "a.out"),
      ("relay::main::{{closure}}", "relay"), ("<relay::Cache as relay::Store>::get", "relay"),
      ("relay::std_like::lock", "relay"), ("m.Bank.transfer() -> ()", "m"), ("time_sleep", "libpython3.11.so.1.0"),
      ("mysql_lock_tables", "mariadbd"), ("lock_wait", "a.out"), ("libcurl_call", "libcurl.so.4"),
      ("thread_run", "a.out"), ("dispatch_request", "a.out"), ("PyObject_Call", "a.out"), ("lj_vm_call", "luajit"),
      ("closure #1 () -> () in m.Bank.transfer() -> ()", "m"),
    ] as [(String?, String)])
  func stays(function: String?, module: String) {
    #expect(!Plumbing.contains(function: function, module: module))
  }

  private func stack(_ functions: [(String, String)]) -> [Frame] {
    functions.map { function, module in
      Frame(
        function: function, module: module, offset: 0,
        isPlumbing: Plumbing.contains(function: function, module: module))
    }
  }

  @Test(
    "Where all the program's code is inlined into the glue that calls it, the innermost glue is the program's place")
  func revealed() {
    let run = "std::thread::_State_impl<std::thread::_Invoker<std::tuple<main::{lambda()#1}> > >::_M_run()"
    let bare = [
      ("__futex_abstimed_wait_common", "libc.so.6"), ("pthread_rwlock_wrlock", "libc.so.6"), (run, "a.out"),
      ("execute_native_thread_routine", "libstdc++.so.6.0.30"), ("start_thread", "libc.so.6"),
    ]
    var inlined = stack(bare)
    Plumbing.reveal(in: &inlined)
    #expect(inlined.filter { !$0.isPlumbing }.map(\.function) == [run])

    var usual = stack(bare + [("main", "a.out")])
    Plumbing.reveal(in: &usual)
    #expect(usual.filter { !$0.isPlumbing }.map(\.function) == ["main"])

    var idle = stack([("__futex_abstimed_wait_common", "libc.so.6"), ("start_thread", "libc.so.6")])
    Plumbing.reveal(in: &idle)
    #expect(!idle.contains { !$0.isPlumbing })
  }
}
