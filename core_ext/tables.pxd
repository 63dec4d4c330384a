from libc.stdint cimport int32_t

cpdef tuple extremes(const int32_t[::1] table)
