// Stands for the CUDA toolkit's header: the half precision that CuPy's float16.cuh is built on.
#pragma once

struct __half_raw {
  unsigned short x;
};

struct half {
  unsigned short x;

  half() {}
  half(float value) : x(__float2half_rn(value)) {}
  explicit half(const __half_raw& raw) : x(raw.x) {}
  explicit half(bool value) : half(float(value)) {}
  explicit half(double value) : half(float(value)) {}
  explicit half(int value) : half(float(value)) {}
  explicit half(unsigned value) : half(float(value)) {}
  explicit half(long long value) : half(float(value)) {}
  explicit half(unsigned long long value) : half(float(value)) {}

  operator float() const { return __half2float(x); }
  operator __half_raw() const { return __half_raw{x}; }
};
typedef half __half;

inline unsigned short __half_as_ushort(half value) { return value.x; }
inline half __ushort_as_half(unsigned short bits) {
  half value;
  value.x = bits;
  return value;
}
inline bool __hisnan(half value) { return isnan(float(value)); }
inline int __hisinf(half value) { return isinf(float(value)); }
