# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# make -j4 with gcc: processes that live for milliseconds, that execute others, that are just being born or dying.
needs="gcc g++ make"
packages="gcc g++ make"
command=(bash -c 'make -s -B -j4 && ./program')
prepare() {
  local i
  { echo "program: $(printf 'f%d.o ' {1..12})main.o"; printf '\tg++ -o $@ $^\n%%.o: %%.cpp\n\tg++ -O1 -c -o $@ $<\n'; } >Makefile
  for i in {1..12}; do echo "#include <map>
#include <string>
int f$i(int n) { std::map<std::string, int> m; m[std::to_string(n)] = $i; return m.begin()->second; }" >"f$i.cpp"; done
  { for i in {1..12}; do echo "int f$i(int);"; done
    echo '#include <cstdio>'
    echo "int main() { std::printf(\"%d\\n\", 0$(printf ' + f%d(1)' {1..12})); }"; } >main.cpp
}
