// Nullability annotations for Swift; nothing for gcc.
#ifndef LOCKJAW_NULLABILITY_H
#define LOCKJAW_NULLABILITY_H

#ifdef __clang__
#define LJ_NONNULL_BEGIN _Pragma("clang assume_nonnull begin")
#define LJ_NONNULL_END _Pragma("clang assume_nonnull end")
#else
#define LJ_NONNULL_BEGIN
#define LJ_NONNULL_END
#define _Nullable
#define _Nonnull
#endif

#endif
