#include "lockjaw_native.h"
