import LockjawModel
import LockjawSymbols
import Testing

@Suite("The type that ends")
struct DroppedTypeTests {
  @Test(
    "A destructor and a drop name the type whose end they are",
    arguments: [
      ("core::ptr::drop_in_place<std::sync::poison::rwlock::RwLockReadGuard<u8>>", "RwLockReadGuard"),
      ("core::ptr::drop_in_place::<bank::Account>", "Account"),
      (
        "<std::sync::poison::mutex::MutexGuard<alloc::vec::Vec<u8>> as core::ops::drop::Drop>::drop", "MutexGuard"
      ),
      ("<lock_api::rwlock::RwLockWriteGuard<R,T> as core::ops::drop::Drop>::drop", "RwLockWriteGuard"),
      ("std::shared_lock<std::shared_mutex>::~shared_lock()", "shared_lock"),
      ("absl::lts_20220623::ReaderMutexLock::~ReaderMutexLock()", "ReaderMutexLock"),
      ("(anonymous namespace)::Session::~Session()", "Session"),
      ("std::lock_guard<std::mutex>::~lock_guard", "lock_guard"),
    ])
  func ends(function: String, type: String) {
    #expect(DroppedType.named(by: function) == type)
  }

  @Test(
    "Any other function is no end of a type, and neither is what only holds others",
    arguments: [
      "pthread_rwlock_unlock", "std::shared_lock<std::shared_mutex>::unlock()", "core::mem::drop<MutexGuard<u8>>",
      "void run<&bank::Guard::~Guard>(int)", "call(a::b::~b)", "core::ptr::drop_in_place<[bank::Account]>",
      "core::ptr::drop_in_place<(MutexGuard<u8>,u8)>", "core::ptr::drop_in_place<core::option::Option<MutexGuard<u8>>>",
      "core::ptr::drop_in_place<app::main::{{closure}}>", "core::ptr::drop_in_place<", "a::~", "::~", "",
      "<&mut dyn Lock as core::ops::drop::Drop>::drop", "< as core::ops::drop::Drop>::drop",
      "a::~" + String(repeating: "b", count: 100_000) + "()",
    ])
  func others(function: String) {
    #expect(DroppedType.named(by: function) == nil)
  }

  @Test("Of ends within ends the innermost is named")
  func innermost() {
    let stack = [
      "core::sync::atomic::AtomicU32::fetch_sub",
      "<std::sync::poison::mutex::MutexGuard<u8> as core::ops::drop::Drop>::drop",
      "core::ptr::drop_in_place<std::sync::poison::mutex::MutexGuard<u8>>", "core::ptr::drop_in_place<bank::Session>",
    ].map { Frame(function: $0, module: "bank", offset: 0) }
    #expect(DroppedType.innermost(in: stack) == "MutexGuard")
    #expect(DroppedType.innermost(in: stack.suffix(1)) == "Session")
    #expect(DroppedType.innermost(in: stack.prefix(1)) == nil)
  }
}
