import LockjawReport
import Testing

@Suite("Function names")
struct FunctionNameTests {
  @Test(
    "A name is normalised to what every build of the source has in common",
    arguments: [
      // C: GCC's and LLVM's clones of one function.
      ("transfer", "transfer"),
      ("transfer.isra.0", "transfer"),
      ("transfer.constprop.0.isra.1", "transfer"),
      ("transfer.part.2.cold", "transfer"),
      ("transfer.llvm.1234567890", "transfer"),
      // C++: parameters, template arguments, return types, lambdas.
      ("Bank::transfer(Account&, int) [clone .isra.0]", "Bank::transfer"),
      ("void Bank::apply<int, std::vector<int> >(int)", "Bank::apply"),
      ("std::vector<int, std::allocator<int> >::push_back(int&&)", "std::vector::push_back"),
      ("main::{lambda(int)#2}::operator()(int) const", "main::{lambda}::operator() const"),
      ("main::$_7::operator()() const", "main::$_::operator() const"),
      ("(anonymous namespace)::work(void (*)(int))", "(anonymous namespace)::work"),
      ("operator<<(std::ostream&, Account const&)", "operator<<"),
      ("Account::operator->() const", "Account::operator-> const"),
      ("bool operator< <int>(Box<int> const&, Box<int> const&)", "bool operator<"),
      // Rust: legacy hashes, qualified paths, closures of both manglings.
      ("bank::transfer::h0123456789abcdef", "bank::transfer"),
      ("bank::main::{{closure}}::hfedcba9876543210", "bank::main::{closure}"),
      ("bank::main::{closure#3}", "bank::main::{closure}"),
      ("<bank::Account as core::ops::drop::Drop>::drop", "<bank::Account as core::ops::drop::Drop>::drop"),
      ("<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop", "<alloc::vec::Vec as core::ops::drop::Drop>::drop"),
      ("core::ptr::drop_in_place::<bank::Account>", "core::ptr::drop_in_place"),
      // Swift: argument labels, result types, specialisations, closures.
      ("bank.Account.transfer(to: bank.Account) -> ()", "bank.Account.transfer"),
      ("closure #2 @Sendable () -> () in bank.main() -> ()", "closure @Sendable in bank.main"),
      ("generic specialization <Swift.Int> of bank.audit<A>(A) -> Swift.Bool", "bank.audit"),
      // Unbalanced: nothing is understood, nothing is lost.
      ("weird<name", "weird<name"), ("", ""), (">", ">"), (")(", ")("),
    ])
  func normalised(name: String, expected: String) {
    #expect(FunctionName(name).normalised == expected)
  }

  @Test(
    "Rust's two manglings of a function give one name",
    arguments: [
      // Legacy, v0: as rustc 1.95 has them in a program built both ways.
      ("bank::Account::transfer::h0123456789abcdef", "<bank::Account>::transfer"),
      ("std::sync::poison::mutex::Mutex<T>::lock", "<std::sync::poison::mutex::Mutex<u64>>::lock"),
      ("<bank::Wrapper<T> as bank::Move>::shift", "<bank::Wrapper<&bank::Account> as bank::Move>::shift"),
      ("bank::main::{{closure}}::{{closure}}", "bank::main::{closure#1}::{closure#0}"),
      (
        "std::thread::lifecycle::spawn_unchecked::{{closure}}",
        "std::thread::lifecycle::spawn_unchecked::<bank::main::{closure#0}, ()>::{closure#1}"
      ),
      (
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "std::sys::backtrace::__rust_begin_short_backtrace::<bank::main::{closure#0}, ()>"
      ),
      ("bank::audit::<impl bank::Audit for bank::Account>::audit", "<bank::Account as bank::Audit>::audit"),
      ("bank::audit::<impl bank::Account>::audit", "<bank::Account>::audit"),
    ])
  func manglings(legacy: String, v0: String) {
    #expect(FunctionName(legacy).normalised == FunctionName(v0).normalised)
  }

  @Test("A sentence names a function without its arguments")
  func short() {
    #expect(FunctionName("Table::insert<std::string>(std::string const&)").short() == "Table::insert()")
    #expect(FunctionName("audit").short() == "audit()")
  }

  @Test("A long name loses its middle, not its ends")
  func shown() {
    let name = "a::" + String(repeating: "b", count: 200) + "::end"
    let shown = FunctionName(name).shown(limit: 40)
    #expect(shown.count == 40)
    #expect(shown.hasPrefix("a::b") && shown.hasSuffix("::end()") && shown.contains("…"))
  }
}
