#ifndef LOCKJAW_NATIVE_H
#define LOCKJAW_NATIVE_H
#endif
