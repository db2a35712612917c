// CUDA's mathematical functions that the C++ library has not. CuPy's kernels call them, most of all
// those of cupyx.scipy.special; double precision is kept to about 1e-13.
#pragma once

inline double sinpi(double x) {
  double reduced = std::remainder(x, 2.0);
  if (std::fabs(reduced) > 0.5) reduced = std::copysign(1.0, reduced) - reduced;
  return std::sin(M_PI * reduced);
}
inline double cospi(double x) { return sinpi(0.5 - std::fabs(std::remainder(x, 2.0))); }

inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
inline double cyl_bessel_i0(double x) { return std::cyl_bessel_i(0.0, std::fabs(x)); }
inline double cyl_bessel_i1(double x) {
  return std::copysign(std::cyl_bessel_i(1.0, std::fabs(x)), x);
}

// exp(x^2) erfc(x): where erfc nears underflow, by its asymptotic series.
inline double erfcx(double x) {
  if (x < 10) return std::exp(x * x) * std::erfc(x);
  double sum = 1, term = 1;
  for (int k = 1; k < 10; k++) sum += term *= -(2 * k - 1) / (2 * x * x);
  return sum / (x * std::sqrt(M_PI));
}

// The inverse of erfc: an estimate good to a few digits, then Halley's iteration. Away from zero
// the work is done on erf, which keeps the digits that erfc has lost there.
inline double erfinv(double y);
inline double erfcinv(double y) {
  if (y <= 0 || y >= 2) return y == 0 ? INFINITY : y == 2 ? -INFINITY : NAN;
  if (y > 0.5) return erfinv(1 - y);
  double l = std::sqrt(-2 * std::log(y / 2));
  double x = (l - (2.515517 + l * (0.802853 + l * 0.010328)) /
                      (1 + l * (1.432788 + l * (0.189269 + l * 0.001308)))) * M_SQRT1_2;
  for (int i = 0; i < 3; i++) {
    double step = (1 - y / std::erfc(x)) * erfcx(x) * std::sqrt(M_PI) / 2;
    x += step / (1 - x * step);
  }
  return x;
}
inline double erfinv(double y) {
  if (y != y || std::fabs(y) > 1) return NAN;
  if (std::fabs(y) > 0.5) return std::copysign(erfcinv(1 - std::fabs(y)), y);
  double x = y * std::sqrt(M_PI) / 2;
  for (int i = 0; i < 6; i++) {
    double step = (y - std::erf(x)) * std::exp(x * x) * std::sqrt(M_PI) / 2;
    x += step / (1 - x * step);
  }
  return x;
}
inline double normcdfinv(double p) { return -M_SQRT2 * erfcinv(2 * p); }

// In single precision CUDA has each under two names: overloaded, and with an f.
#define SINGLE(NAME)                                            \
  inline float NAME(float x) { return (float)NAME((double)x); } \
  inline float NAME##f(float x) { return NAME(x); }
SINGLE(sinpi)
SINGLE(cospi)
SINGLE(rsqrt)
SINGLE(normcdf)
SINGLE(normcdfinv)
SINGLE(cyl_bessel_i0)
SINGLE(cyl_bessel_i1)
SINGLE(erfcx)
SINGLE(erfinv)
SINGLE(erfcinv)
